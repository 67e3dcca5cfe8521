//! What goes over the socket: docs/websocket.md as types.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A text message from a server.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum FromServer<'a> {
    /// An event.
    Event {
        /// Who counts.
        #[serde(borrow)]
        channel: Cow<'a, str>,
        /// Number in the channel.
        seq: u64,
        /// The producer's clock, in Unix ms.
        sent_ms: u64,
        /// What it says.
        #[serde(borrow)]
        payload: Cow<'a, str>,
        /// CRC-32 (IEEE) of the payload's bytes.
        crc: u32,
    },
    /// A message of ours came.
    Ack {
        /// Its number.
        seq: u64,
        /// As we sent it.
        sent_ms: u64,
    },
    /// A message of ours came, and something is wrong with it.
    Error {
        /// Its number.
        seq: u64,
        /// `crc` or `gap`.
        #[serde(borrow)]
        reason: Cow<'a, str>,
    },
}

/// A text message to a server.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum ToServer<'a> {
    /// The first message after a reconnect.
    Resume {
        /// The last number seen, by channel.
        channels: &'a BTreeMap<String, u64>,
    },
    /// A message that wants an acknowledgement.
    Publish {
        /// Its number on this connection.
        seq: u64,
        /// Our clock, in Unix ms.
        sent_ms: u64,
        /// What it says.
        payload: &'a str,
        /// CRC-32 (IEEE) of the payload's bytes.
        crc: u32,
    },
}

impl ToServer<'_> {
    /// The message as it is sent.
    pub fn text(&self) -> String {
        // Numbers, strings and a map with string keys: it can always be encoded.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_manual() {
        let event = r#"{"type":"event","channel":"feed/0","seq":17,"sentMs":1790000000000,"payload":"hello","crc":907060870}"#;
        let read: FromServer<'_> = serde_json::from_str(event).expect("event");
        let FromServer::Event { channel, seq, sent_ms, payload, crc } = read else { panic!("{read:?}") };
        assert_eq!((channel.as_ref(), seq, sent_ms), ("feed/0", 17, 1_790_000_000_000));
        assert_eq!(crc32fast::hash(payload.as_bytes()), crc);
        let ack = serde_json::from_str::<FromServer<'_>>(r#"{"type":"ack","seq":1,"sentMs":5}"#).expect("ack");
        assert_eq!(ack, FromServer::Ack { seq: 1, sent_ms: 5 });
        let error = serde_json::from_str::<FromServer<'_>>(r#"{"type":"error","seq":1,"reason":"gap"}"#).expect("error");
        assert_eq!(error, FromServer::Error { seq: 1, reason: "gap".into() });
        let resume = ToServer::Resume { channels: &BTreeMap::from([("feed/0".to_owned(), 17)]) };
        assert_eq!(resume.text(), r#"{"type":"resume","channels":{"feed/0":17}}"#);
        let publish = ToServer::Publish { seq: 1, sent_ms: 1_790_000_000_000, payload: "hello", crc: 907_060_870 };
        assert_eq!(publish.text(), r#"{"type":"publish","seq":1,"sentMs":1790000000000,"payload":"hello","crc":907060870}"#);
    }
}
