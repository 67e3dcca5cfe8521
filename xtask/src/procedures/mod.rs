//! What the guides' scripts do, beyond applying manifests: deploy in order with a rollback of its own, roll back, scale, save
//! and restore the configuration, back stores up and restore them. The commands of `xtask` and the deploy stage of `verify` both use these.

pub mod backup;
pub mod blue_green;
pub mod configuration;
pub mod environment;
pub mod helm;
pub mod pod_sets;
pub mod probe;
pub mod restore;
pub mod revisions;
pub mod safe_deploy;
pub mod scaling;
pub mod stores;
pub mod tried;
