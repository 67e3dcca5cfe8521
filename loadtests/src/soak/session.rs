//! One client from its first upgrade to its last close: it comes back when it is cut, and resumes where it was.

use super::board::Board;
use super::closes::Close;
use super::dial::{Dialer, Papers, Socket, ending};
use super::ledger::Ledger;
use super::limiter::Limiter;
use super::messages::{FromServer, ToServer};
use super::publisher::Publisher;
use futures::{SinkExt, StreamExt};
use gauntlet_reports::clock::Clock;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

/// A connection on which nothing at all comes for so long, pings included, is given up.
const SILENT: Duration = Duration::from_secs(75);

/// How long a close handshake may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Waits before coming back: drawn evenly from 0 to a bound that doubles from the first to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Clients that are told to rotate leave within this time.
const ROTATE_WITHIN: Duration = Duration::from_secs(2);

/// What all clients are to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Hold the connection and send.
    #[default]
    Hold,
    /// One client of so many leaves and comes back, once.
    Rotate {
        /// Each so-many-th.
        every: u32,
    },
    /// Send no more, go on reading.
    Quiet,
    /// Close.
    Close,
}

/// What all clients share.
pub struct Crowd {
    /// Opens connections.
    pub dialer: Dialer,
    /// The token that they show.
    pub token: Option<String>,
    /// The origin that they show.
    pub origin: Option<String>,
    /// Messages that each sends in a second.
    pub per_second: f64,
    /// The run's seed.
    pub seed: u64,
    /// Their turns.
    pub limiter: Limiter,
    /// Where they write what they see.
    pub board: Board,
    /// The run's clock.
    pub clock: Clock,
}

/// What one client saw, at its end.
pub struct End {
    /// Its number.
    pub client: u32,
    /// Numbers of events.
    pub ledger: Ledger,
    /// Messages, and what they were answered.
    pub publisher: Publisher,
    /// Events whose payload was not what its checksum says.
    pub corrupt: u64,
    /// Texts that were no message of the protocol.
    pub malformed: u64,
    /// The last number of each channel when it was told to send no more.
    pub at_quiet: BTreeMap<String, u64>,
    /// The same when it closed.
    pub at_close: BTreeMap<String, u64>,
    /// True: it ended by a close handshake.
    pub clean: bool,
}

/// Why a connection is over.
enum Over {
    /// We leave, and are not coming back.
    Done,
    /// We leave, and come back.
    Rotate,
    /// It ended by itself.
    Lost(u16, String),
}

/// A client.
pub struct Session {
    crowd: Arc<Crowd>,
    orders: watch::Receiver<Order>,
    rng: ChaCha8Rng,
    rotated: bool,
    /// When it leaves to rotate.
    leaves: Option<Instant>,
    end: End,
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Session {
    /// Client number `client` of a crowd.
    pub fn new(crowd: Arc<Crowd>, client: u32, orders: watch::Receiver<Order>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(crowd.seed);
        rng.set_stream(u64::from(client));
        let end = End {
            client,
            ledger: Ledger::default(),
            publisher: Publisher::new(crowd.per_second),
            corrupt: 0,
            malformed: 0,
            at_quiet: BTreeMap::new(),
            at_close: BTreeMap::new(),
            clean: false,
        };
        Session { crowd, orders, rng, rotated: false, leaves: None, end }
    }

    /// Lives until it is told to close.
    pub async fn run(mut self) -> End {
        let mut tries = 0;
        loop {
            if *self.orders.borrow_and_update() == Order::Close {
                self.end.at_close = self.end.ledger.positions();
                return self.end;
            }
            let jitter = self.rng.random_range(0.0..1.0);
            self.crowd.limiter.turn(jitter).await;
            let Some((socket, server)) = self.dial().await else {
                self.back_off(&mut tries).await;
                continue;
            };
            tries = 0;
            match self.hold(socket).await {
                Over::Done => return self.end,
                Over::Rotate => {}
                Over::Lost(code, reason) => {
                    self.end.publisher.lost();
                    let at_ms = self.crowd.clock.now_ms();
                    self.crowd.board.closed(Close { client: self.end.client, at_ms, server, code, reason });
                    self.back_off(&mut tries).await;
                }
            }
        }
    }

    async fn dial(&mut self) -> Option<(Socket, Option<String>)> {
        let crowd = Arc::clone(&self.crowd);
        crowd.board.tries();
        let papers = Papers { token: crowd.token.as_deref(), origin: crowd.origin.as_deref() };
        match crowd.dialer.dial(papers).await {
            Ok((socket, server)) => {
                crowd.board.opened(self.end.client, server.clone());
                Some((socket, server))
            }
            Err(error) => {
                crowd.board.failed(error.to_string());
                None
            }
        }
    }

    /// Waits before it comes back; an order to close ends the wait.
    async fn back_off(&mut self, tries: &mut u32) {
        let bound = BACKOFF.0.saturating_mul(1 << (*tries).min(8)).min(BACKOFF.1);
        *tries += 1;
        let wait = bound.mul_f64(self.rng.random_range(0.0..=1.0));
        let _ = tokio::time::timeout(wait, self.orders.wait_for(|o| *o == Order::Close)).await;
    }

    async fn hold(&mut self, mut socket: Socket) -> Over {
        let opened_unix = unix_ms();
        self.end.ledger.connected();
        let phase = self.rng.random_range(0.0..1.0);
        self.end.publisher.connected(std::time::Instant::now(), phase);
        let positions = self.end.ledger.positions();
        if !positions.is_empty() {
            let resume = ToServer::Resume { channels: &positions }.text();
            if let Err(error) = socket.send(Message::text(resume)).await {
                return lost(&mut socket, error).await;
            }
        }
        let mut heard = Instant::now();
        let mut order = *self.orders.borrow_and_update();
        loop {
            if let Some(over) = self.obey(order) {
                return self.leave(socket, over).await;
            }
            let publish = self.end.publisher.due().map(Instant::from_std);
            let leaves = self.leaves;
            tokio::select! {
                changed = self.orders.changed() => {
                    // Who gives orders is gone: so is the soak.
                    order = if changed.is_ok() { *self.orders.borrow_and_update() } else { Order::Close };
                }
                message = socket.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.take(text.as_str(), opened_unix),
                        // The library answers pings when it is asked to read on.
                        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                        Some(Ok(Message::Binary(_))) => self.end.malformed += 1,
                        last => {
                            let over = ending(last);
                            // Reading on sends the answer to a close frame.
                            let _ = tokio::time::timeout(CLOSE_WITHIN, drain(&mut socket)).await;
                            return Over::Lost(over.0, over.1);
                        }
                    }
                }
                () = at(publish) => {
                    if let Some(text) = self.end.publisher.next(self.end.client, unix_ms())
                        && let Err(error) = socket.send(Message::text(text)).await
                    {
                        return lost(&mut socket, error).await;
                    }
                }
                () = at(leaves) => order = Order::Rotate { every: 1 },
                () = tokio::time::sleep_until(heard + SILENT) => {
                    return Over::Lost(1006, format!("nothing came for {} s", SILENT.as_secs()));
                }
            }
        }
    }

    /// What an order means for this client now.
    fn obey(&mut self, order: Order) -> Option<Over> {
        match order {
            Order::Hold => None,
            Order::Rotate { every } => {
                if self.rotated || !self.end.client.is_multiple_of(every) {
                    return None;
                }
                let now = Instant::now();
                let leaves = *self.leaves.get_or_insert_with(|| now + ROTATE_WITHIN.mul_f64(self.rng.random_range(0.0..1.0)));
                if leaves > now {
                    return None;
                }
                self.rotated = true;
                self.leaves = None;
                Some(Over::Rotate)
            }
            Order::Quiet => {
                if self.end.at_quiet.is_empty() {
                    self.end.at_quiet = self.end.ledger.positions();
                }
                self.end.publisher.quiet();
                None
            }
            Order::Close => Some(Over::Done),
        }
    }

    fn take(&mut self, text: &str, opened_unix: u64) {
        let now = std::time::Instant::now();
        match serde_json::from_str(text) {
            Ok(FromServer::Event { channel, seq, sent_ms, payload, crc }) => {
                let at_ms = self.crowd.clock.now_ms();
                self.end.ledger.take(&channel, seq, at_ms);
                self.end.corrupt += u64::from(crc32fast::hash(payload.as_bytes()) != crc);
                // What was sent before this connection was open is replayed: its latency is that of the outage.
                let latency = (sent_ms >= opened_unix).then(|| Duration::from_millis(unix_ms().saturating_sub(sent_ms)));
                self.crowd.board.event(at_ms, latency);
            }
            Ok(FromServer::Ack { seq, sent_ms }) => {
                if let Some(round_trip) = self.end.publisher.ack(seq, sent_ms, now) {
                    self.crowd.board.acked(round_trip);
                }
            }
            Ok(FromServer::Error { seq, .. }) => self.end.publisher.refused(seq),
            Err(_) => self.end.malformed += 1,
        }
    }

    /// Closes with 1000 and waits for the answer.
    async fn leave(&mut self, mut socket: Socket, over: Over) -> Over {
        let rotates = matches!(over, Over::Rotate);
        if rotates {
            self.end.publisher.lost();
        } else {
            self.end.at_close = self.end.ledger.positions();
        }
        self.crowd.board.left(self.end.client, rotates);
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let closed = async { socket.close(Some(frame)).await.is_ok() && drain(&mut socket).await };
        self.end.clean = tokio::time::timeout(CLOSE_WITHIN, closed).await.unwrap_or(false);
        over
    }
}

/// Waits until a time; for ever without one.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// A write failed. The server may have said why before: its close frame is then still to be read.
async fn lost(socket: &mut Socket, error: Error) -> Over {
    let said = async {
        while let Some(message) = socket.next().await {
            if matches!(message, Ok(Message::Close(_)) | Err(_)) {
                return Some(message);
            }
        }
        None
    };
    let last = tokio::time::timeout(Duration::from_secs(1), said).await.ok().flatten();
    let (code, reason) = ending(last.or(Some(Err(error))));
    Over::Lost(code, reason)
}

/// Reads to the end. True: the peer's close frame came.
async fn drain(socket: &mut Socket) -> bool {
    let mut closed = false;
    while let Some(Ok(message)) = socket.next().await {
        closed |= matches!(message, Message::Close(_));
    }
    closed
}
