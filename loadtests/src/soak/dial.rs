//! One upgrade through the entry point: TCP to this machine, TLS for the platform's host name, small buffers.

use super::plan::SoakPlan;
use crate::tls::trusting;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, ORIGIN};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

/// How long an upgrade may take, TCP and TLS included.
const WITHIN: Duration = Duration::from_secs(10);

/// Memory of a connection for what comes in. The library's own default is 128 KiB, which thousands of connections cannot have.
const READ_BUFFER: usize = 4 << 10;
/// What is gathered before it is written, and the most that a peer which does not read may hold back. The library's own
/// default has no limit.
const WRITE_BUFFER: (usize, usize) = (4 << 10, 64 << 10);
/// The largest message that is taken.
const LARGEST: usize = 1 << 20;

/// An open connection.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a client shows at the upgrade.
#[derive(Debug, Clone, Copy, Default)]
pub struct Papers<'a> {
    /// The bearer token.
    pub token: Option<&'a str>,
    /// The origin.
    pub origin: Option<&'a str>,
}

/// Why there is no connection. Texts are the same for the same cause, so that they can be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The server answered something else than 101.
    #[error("status {0}")]
    Status(u16),
    /// Nothing came in time.
    #[error("timeout")]
    Timeout,
    /// No TCP connection.
    #[error("connect: {0}")]
    Connect(std::io::ErrorKind),
    /// TLS, or no HTTP.
    #[error("upgrade: {0}")]
    Upgrade(String),
}

/// Opens connections to one endpoint.
pub struct Dialer {
    plan: SoakPlan,
    uri: Uri,
    connector: Option<Connector>,
}

impl Dialer {
    /// Reads the certificate authority once; connections share it and its session cache.
    ///
    /// # Errors
    /// A broken certificate authority or path, for people.
    pub fn new(plan: &SoakPlan) -> Result<Self, String> {
        let endpoint = &plan.endpoint;
        let scheme = if endpoint.tls { "wss" } else { "ws" };
        let text = format!("{scheme}://{}{}", endpoint.host, plan.path);
        let uri = text.parse().map_err(|e| format!("{text}: {e}"))?;
        let connector = match (endpoint.tls, &endpoint.ca_pem) {
            (false, _) => Some(Connector::Plain),
            (true, Some(ca)) => Some(Connector::Rustls(Arc::new(trusting(ca)?))),
            (true, None) => None,
        };
        Ok(Dialer { plan: plan.clone(), uri, connector })
    }

    fn request(&self, papers: Papers<'_>) -> Result<Request<()>, String> {
        let mut request = self.uri.clone().into_client_request().map_err(|e| e.to_string())?;
        let headers = request.headers_mut();
        if let Some(token) = papers.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|e| e.to_string())?;
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(origin) = papers.origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).map_err(|e| e.to_string())?);
        }
        Ok(request)
    }

    /// Opens a connection; with it the server's name, where the answer gives it in `x-served-by`.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial(&self, papers: Papers<'_>) -> Result<(Socket, Option<String>), DialError> {
        tokio::time::timeout(WITHIN, self.dial_now(papers)).await.unwrap_or(Err(DialError::Timeout))
    }

    async fn dial_now(&self, papers: Papers<'_>) -> Result<(Socket, Option<String>), DialError> {
        let request = self.request(papers).map_err(DialError::Upgrade)?;
        let stream = TcpStream::connect(self.plan.endpoint.address).await.map_err(|e| DialError::Connect(e.kind()))?;
        stream.set_nodelay(true).map_err(|e| DialError::Connect(e.kind()))?;
        let limits = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER.0)
            .max_write_buffer_size(WRITE_BUFFER.1)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        match client_async_tls_with_config(request, stream, Some(limits), self.connector.clone()).await {
            Ok((socket, answer)) => {
                let server = answer.headers().get("x-served-by").and_then(|v| v.to_str().ok());
                Ok((socket, server.map(str::to_owned)))
            }
            Err(Error::Http(answer)) => Err(DialError::Status(answer.status().as_u16())),
            Err(error) => Err(DialError::Upgrade(error.to_string())),
        }
    }
}

/// How a connection ended, from what its stream said last: the close code and the text beside it. 1005: a close frame
/// without a code. 1006: no close frame at all.
pub fn ending(last: Option<Result<Message, Error>>) -> (u16, String) {
    match last {
        Some(Ok(Message::Close(Some(frame)))) => (frame.code.into(), frame.reason.to_string()),
        Some(Ok(Message::Close(None))) => (1005, String::new()),
        Some(Err(error)) => (1006, error.to_string()),
        _ => (1006, "the connection ended".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;

    #[test]
    fn the_host_name_has_no_port_and_the_papers_are_shown() {
        let mut plan = plan();
        plan.endpoint.tls = true;
        let dialer = Dialer::new(&plan).expect("dialer");
        let request = dialer.request(Papers { token: Some("a.b.c"), origin: Some("https://x.test") }).expect("request");
        let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        assert_eq!(request.uri().to_string(), "wss://orders.test/ws");
        assert_eq!((header("host"), header("authorization"), header("origin")), ("orders.test", "Bearer a.b.c", "https://x.test"));
        assert!(dialer.request(Papers::default()).expect("request").headers().get("authorization").is_none());
        plan.endpoint.ca_pem = Some("no pem".into());
        assert!(Dialer::new(&plan).is_err());
    }

    #[test]
    fn endings_have_a_code() {
        let frame = CloseFrame { code: 1001.into(), reason: "draining".into() };
        assert_eq!(ending(Some(Ok(Message::Close(Some(frame))))), (1001, "draining".to_owned()));
        assert_eq!(ending(Some(Ok(Message::Close(None)))).0, 1005);
        assert_eq!(ending(Some(Err(Error::ConnectionClosed))).0, 1006);
        assert_eq!(ending(None).0, 1006);
    }
}
