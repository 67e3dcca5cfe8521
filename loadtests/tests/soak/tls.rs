//! Upgrades over TLS: the platform's host name, the suite's own authority.

use futures::StreamExt;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::WebSocketEndpoint;
use gauntlet_loadtests::soak::dial::{DialError, Dialer, Papers};
use gauntlet_loadtests::soak::plan::SoakPlan;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;

/// An authority's certificate for `ws.test`, and a server that shows it.
async fn server() -> (String, SocketAddr) {
    let made = rcgen::generate_simple_self_signed(["ws.test".to_owned()]).expect("certificate");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into()).expect("config");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("upgrade");
            tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
        }
    });
    (made.cert.pem(), address)
}

fn dialer(address: SocketAddr, host: &str, ca_pem: String) -> Dialer {
    let profile = json!({"connections": 1, "seconds": 1, "messagesPerSecond": 1, "reconnectSeconds": 1});
    let socket = json!({"name": "live", "entrypoint": "ws", "path": "/ws", "workload": "Deployment/ws", "profiles": {"quick": profile}});
    let socket: WebSocketEndpoint = serde_json::from_value(socket).expect("endpoint");
    let endpoint = Endpoint { address, host: host.into(), tls: true, ca_pem: Some(ca_pem), health_path: "/".into() };
    let plan = SoakPlan::new(&socket, &socket.profiles["quick"], endpoint, 1, None).expect("plan");
    Dialer::new(&plan).expect("dialer")
}

#[tokio::test]
async fn the_suites_authority_is_trusted_for_the_platforms_host_name() {
    let (ca, address) = server().await;
    assert!(dialer(address, "ws.test", ca.clone()).dial(Papers::default()).await.is_ok());
    let other_name = dialer(address, "other.test", ca).dial(Papers::default()).await.err();
    assert!(matches!(other_name, Some(DialError::Upgrade(_))), "{other_name:?}");
    let (other_ca, _) = server().await;
    let untrusted = dialer(address, "ws.test", other_ca).dial(Papers::default()).await.err();
    assert!(matches!(untrusted, Some(DialError::Upgrade(_))), "{untrusted:?}");
}
