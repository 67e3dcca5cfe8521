//! One HTTP/1.1 connection to the entry point, and a request on it.

use super::OpenPlan;
use crate::tls::trusting;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why a request failed, the same word for the same cause so that it can be counted.
pub(super) type Cause = String;

/// What every request of a thread has in common.
pub(super) struct Target {
    plan: OpenPlan,
    request: http::Request<Full<Bytes>>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// Reads the plan's request and certificate authority once.
    ///
    /// # Errors
    /// What cannot be sent, and why.
    pub(super) fn new(plan: &OpenPlan) -> Result<Self, String> {
        let wrong = |what: &str, why: String| format!("{what}: {why}");
        let mut request = http::Request::builder().method(plan.method.as_str()).uri(&plan.path).header(http::header::HOST, &plan.endpoint.host);
        for (name, value) in &plan.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(plan.body.clone()))).map_err(|e| wrong("the request", e.to_string()))?;
        let tls = match (plan.endpoint.tls, &plan.endpoint.ca_pem) {
            (false, _) => None,
            (true, None) => return Err("the endpoint has TLS, and no certificate authority is given".to_owned()),
            (true, Some(ca)) => {
                let name = ServerName::try_from(plan.endpoint.host.clone()).map_err(|e| wrong("the host name", e.to_string()))?;
                Some((TlsConnector::from(Arc::new(trusting(ca)?)), name))
            }
        };
        Ok(Target { plan: plan.clone(), request, tls })
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.plan.timeout_ms)
    }
}

/// A connection that is open, or will be when it is next used.
#[derive(Default)]
pub(super) struct Connection {
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// True: the next request opens a connection first.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.as_ref().is_none_or(SendRequest::is_closed)
    }

    /// Sends the request and reads the answer to the end of its body.
    ///
    /// # Errors
    /// The cause. After one the connection is opened anew.
    pub(super) async fn send(&mut self, target: &Target) -> Result<(), Cause> {
        let done = tokio::time::timeout(target.timeout(), self.exchange(target)).await.unwrap_or_else(|_| Err("timeout".to_owned()));
        if done.as_ref().is_err_and(|cause| !cause.starts_with("status")) {
            self.sender = None;
        }
        done
    }

    async fn exchange(&mut self, target: &Target) -> Result<(), Cause> {
        if self.is_closed() {
            self.sender = Some(open(target).await?);
        }
        let Some(sender) = &mut self.sender else { return Err("connect".to_owned()) };
        let lost = |_| "connection lost".to_owned();
        sender.ready().await.map_err(lost)?;
        let mut answer = sender.send_request(target.request.clone()).await.map_err(lost)?;
        while let Some(frame) = answer.body_mut().frame().await {
            frame.map_err(|_| "body".to_owned())?;
        }
        let status = answer.status().as_u16();
        if status == target.plan.expect_status { Ok(()) } else { Err(format!("status {status}")) }
    }
}

async fn open(target: &Target) -> Result<SendRequest<Full<Bytes>>, Cause> {
    let refused = |_| "connect".to_owned();
    let stream = TcpStream::connect(target.plan.endpoint.address).await.map_err(refused)?;
    stream.set_nodelay(true).map_err(refused)?;
    match &target.tls {
        None => speak(stream).await,
        Some((connector, name)) => speak(connector.connect(name.clone(), stream).await.map_err(|_| "tls".to_owned())?).await,
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Result<SendRequest<Full<Bytes>>, Cause> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| "connect".to_owned())?;
    // Ends when the sender is dropped or the server closes.
    tokio::task::spawn_local(connection);
    Ok(sender)
}
