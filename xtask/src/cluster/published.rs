//! Ports on this machine for the cluster's entry points.

use anyhow::{Context as _, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The ports that are tried first: steady addresses are easier to remember.
const PREFERRED: (u16, u16) = (18080, 18443);

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Two free ports on 127.0.0.1, for HTTP and HTTPS.
///
/// # Errors
/// When the machine has none to give.
pub fn free_ports() -> Result<(u16, u16)> {
    if is_free(PREFERRED.0) && is_free(PREFERRED.1) {
        return Ok(PREFERRED);
    }
    let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1");
    let (http, https) = (any()?, any()?);
    Ok((http.local_addr()?.port(), https.local_addr()?.port()))
}

/// The loopback address of a port.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_given() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let port = taken.local_addr().expect("address").port();
        assert!(!is_free(port));
        let (http, https) = free_ports().expect("ports");
        assert!(http != https && http != port && https != port);
    }
}
