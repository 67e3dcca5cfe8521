//! What drills rely on, against the real servers in containers: `cargo test -p gauntlet-chaos --test stores_in_containers -- --ignored`.
//!
//! The containers publish no port: they are reached through the engine, or on its own bridge, from this machine only.

mod docker_shell;
mod influxdb;
mod kafka;
mod mongodb;
mod postgresql;
mod redis;
