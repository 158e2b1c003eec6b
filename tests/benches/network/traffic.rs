//! What a node says of the bytes that it has sent and received.

use surety_node::client::Client;

use super::seen::runtime;

/// The bytes of one direction, `Inbound` or `Outbound`.
pub(crate) fn bytes(http: &str, direction: &str) -> f64 {
    let metrics = runtime().block_on(async { Client::new(http)?.bytes("/metrics").await });
    let metrics = String::from_utf8(metrics.expect("metrics")).expect("text");
    let counted = metrics.lines().filter(|line| {
        line.starts_with("surety_libp2p_bandwidth_bytes_total") && line.contains(direction)
    });
    counted
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}
