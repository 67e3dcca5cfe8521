//! Metrics, alerts, and whom an object belongs to.

pub mod alert_rule_references_missing_metric;
pub mod dangling_servicemonitor;
pub mod owner_label;
pub mod promql;
pub mod recommended_labels;
pub mod scrape_annotations_match_port;
