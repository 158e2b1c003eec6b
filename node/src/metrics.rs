//! Counters and gauges of a node, in the OpenMetrics text format.
//!
//! # Rules
//!
//! - `[MT-1]` Names start with `surety_`, carry base units and no rates; a counter is registered
//!   without `_total`, which the encoder appends.
//! - `[MT-2]` Labels take values from closed sets only: nothing that a stranger chooses (an id, a
//!   peer, a tag) becomes a label, so the number of series is bounded.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A number that goes up and down.
pub type Gauge = prometheus_client::metrics::gauge::Gauge<u64, AtomicU64>;

/// The gossip topic of a message, without its subnet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TopicLabel {
    /// One of the topics of the network's rule table.
    pub topic: &'static str,
}

/// The surface that answered an HTTP request, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HttpLabel {
    /// `su`, `cu`, `mu`, `gateway`, `aocore`, `v1` or `other`.
    pub surface: &'static str,
    /// The status code.
    pub status: u16,
}

macro_rules! metrics {
    ($($name:ident: $kind:ty = $help:literal;)*) => {
        /// Everything that a node counts. Clones of a counter share its value.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            /// What the network counts, once it runs.
            pub traffic: OnceLock<Arc<Registry>>,
            $(#[doc = $help] pub $name: $kind,)*
        }

        impl Default for Metrics {
            fn default() -> Self {
                let mut registry = Registry::with_prefix("surety");
                // The encoder ends each help text with its own full stop.
                $(let $name = registered(
                    &mut registry, stringify!($name), $help.trim_end_matches('.'), <$kind>::default(),
                );)*
                Self { registry, traffic: OnceLock::new(), $($name,)* }
            }
        }
    };
}

metrics! {
    messages_assigned: Counter = "Messages that this scheduler gave a slot.";
    inputs_evaluated: Counter = "Inputs evaluated by this compute unit.";
    gas_used: Counter = "Gas used by evaluated inputs.";
    pushes: Counter = "Messages that this messenger carried on.";
    claims_signed: Counter = "Claims signed by this node.";
    approvals_signed: Counter = "Approvals signed by this node.";
    claims_audited: Counter = "Claims that this auditor executed.";
    claims_unaudited: Counter = "Claims that this auditor was to execute and has not.";
    abstentions: Counter = "Executions that this node could not finish and abstained from.";
    certificates: Counter = "Certificates that the ledger recorded.";
    signatures_refused: Counter = "Signatures that the guard refused.";
    engine_incidents: Counter = "Cases about which this node's two engines differ.";
    evidence_found: Counter = "Faults that this node found and proved.";
    slashings: Counter = "Penalties that the ledger applied.";
    gossip_accepted: Family<TopicLabel, Counter> = "Gossip accepted and forwarded.";
    gossip_ignored: Family<TopicLabel, Counter> = "Gossip dropped without blame.";
    gossip_rejected: Family<TopicLabel, Counter> = "Gossip dropped with blame for the sender.";
    gossip_sent: Family<TopicLabel, Counter> = "Gossip that this node originated.";
    http_requests: Family<HttpLabel, Counter> = "HTTP requests answered.";
    peers: Gauge = "Connected peers.";
    processes: Gauge = "Processes that this node follows.";
    residents: Gauge = "Processes that this node keeps in memory.";
    resident_bytes: Gauge = "Bytes of memory that those processes take, as estimated.";
    wakes: Counter = "Processes restored from a kept state.";
    ledger_height: Gauge = "Height of the last ledger block applied.";
    blocks_behind: Gauge = "Ledger blocks known to exist but not applied yet.";
    queue_length: Gauge = "Inputs waiting for the machines of this node.";
    stake_units: Gauge = "Stake behind this node's operator, saturating.";
}

fn registered<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// Metrics that are all zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every metric as text of type [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut text = String::new();
        // A String takes every write; were it not so, a scrape would see what was written.
        let registries = [&self.registry].into_iter();
        let mut registries = registries.chain(self.traffic.get().map(Arc::as_ref));
        let written = registries.try_for_each(|it| encode_registry(&mut text, it));
        let _ = written.and_then(|()| encode_eof(&mut text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_appear_once_under_their_names() {
        let metrics = Metrics::new();
        metrics.claims_signed.inc();
        metrics.claims_signed.clone().inc_by(2);
        metrics.ledger_height.set(u64::MAX);
        metrics
            .gossip_rejected
            .get_or_create(&TopicLabel { topic: "claims" })
            .inc();
        let label = HttpLabel {
            surface: "v1",
            status: 404,
        };
        metrics.http_requests.get_or_create(&label).inc();
        let text = metrics.render();
        let has = |line: &str| assert!(text.lines().any(|l| l == line), "{line}\nin\n{text}");
        has("surety_claims_signed_total 3");
        has("surety_inputs_evaluated_total 0");
        has("surety_ledger_height 18446744073709551615");
        has("surety_gossip_rejected_total{topic=\"claims\"} 1");
        has("surety_http_requests_total{surface=\"v1\",status=\"404\"} 1");
        has("# HELP surety_peers Connected peers.");
        has("# TYPE surety_claims_signed counter");
        assert!(text.ends_with("# EOF\n"));
        assert!(!text.contains("_total_total"));
    }
}
