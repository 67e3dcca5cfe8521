//! A port of a pod on 127.0.0.1.

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A port of a pod on 127.0.0.1. Each connection is forwarded on its own, so that a broken one does not take the others
/// with it. Dropping it closes the port.
pub struct PortForward {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl PortForward {
    /// Opens a free port of 127.0.0.1 and forwards its connections to the pod.
    ///
    /// # Errors
    /// When no port can be opened. Whether the pod answers shows on the connections.
    pub async fn open(client: &Client, namespace: &str, pod: &str, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pod = pod.to_owned();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut inbound, _)) = listener.accept().await {
                let (pods, pod) = (pods.clone(), pod.clone());
                connections.spawn(async move {
                    // A pod that refuses shows to the client as a closed connection.
                    let Ok(mut forwarded) = pods.portforward(&pod, &[port]).await else { return };
                    if let Some(mut outbound) = forwarded.take_stream(port) {
                        let _ = tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await;
                    }
                    forwarded.abort();
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(PortForward { address, task })
    }
}

impl Drop for PortForward {
    fn drop(&mut self) {
        self.task.abort();
    }
}
