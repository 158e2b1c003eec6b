//! What a network did, as it says itself.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};
use surety_protocol::evidence::Evidence;

use super::DevnetError;
use super::child::Network;
use super::plan::{Plan, culprit};
use super::workload::list;
use crate::client::Client;
use crate::fault::Fault;

/// The stake of an operator, and what it has besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holding {
    operator: String,
    bonded: u128,
}

/// The report of a run.
#[derive(Debug)]
pub struct Report {
    processes: Vec<Value>,
    slots: u64,
    inputs: u64,
    claims: u64,
    certified: u64,
    certificates: u64,
    slashings: Vec<Value>,
    evidence: Vec<(PathBuf, u64)>,
    seconds: Option<f64>,
    before: Vec<Holding>,
    after: Vec<Holding>,
    names: Vec<String>,
}

/// The stakes of all operators.
pub(super) async fn stakes(api: &Client) -> Result<Vec<Holding>, DevnetError> {
    let operators = api.get("/v1/operators?limit=1000").await?;
    Ok(list(&operators)
        .iter()
        .map(|it| {
            let text = |name: &str| it.get(name).and_then(Value::as_str).unwrap_or_default();
            Holding {
                operator: text("operator").to_owned(),
                bonded: text("bonded").parse().unwrap_or(0),
            }
        })
        .collect())
}

impl Report {
    pub(super) async fn gather(
        plan: &Plan,
        network: &Network,
        api: &Client,
        before: Vec<Holding>,
        seconds: Option<f64>,
    ) -> Result<Report, DevnetError> {
        let processes = list(&api.get("/v1/processes?limit=1000").await?);
        let number = |it: &Value, name: &str| it.get(name).and_then(Value::as_u64).unwrap_or(0);
        let slots = processes.iter().map(|it| number(it, "slots")).sum();
        let inputs = processes.iter().map(|it| number(it, "evaluated")).sum();
        let certified = processes.iter().map(|it| number(it, "certified")).sum();
        let mut claims = 0;
        for process in &processes {
            let id = process
                .get("process")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let found = api
                .get(&format!("/v1/processes/{id}/claims?limit=1000"))
                .await?;
            claims += u64::try_from(list(&found).len()).unwrap_or(0);
        }
        let certificates = list(&api.get("/v1/certificates?limit=1000").await?);
        let slashings = list(&api.get("/v1/slashings?limit=1000").await?);
        let mut evidence = Vec::new();
        let mut saved = BTreeSet::new();
        for slashing in &slashings {
            let id = slashing
                .get("evidence")
                .and_then(Value::as_str)
                .unwrap_or_default();
            // One file may prove several offences.
            if !saved.insert(id.to_owned()) {
                continue;
            }
            evidence.extend(save_evidence(plan, network, id).await?);
        }
        let names = plan
            .members
            .iter()
            .map(|it| it.operator.address().to_string())
            .collect();
        Ok(Report {
            processes,
            slots,
            inputs,
            claims,
            certified,
            certificates: u64::try_from(certificates.len()).unwrap_or(0),
            slashings,
            evidence,
            seconds,
            before,
            after: stakes(api).await?,
            names,
        })
    }

    /// Brings the processes into an order.
    pub(super) fn order(&mut self, processes: &[String]) {
        self.processes.sort_by_key(|it| {
            let id = it.get("process").and_then(Value::as_str);
            processes
                .iter()
                .position(|known| Some(known.as_str()) == id)
        });
    }

    /// The report for programs.
    pub fn to_json(&self) -> Value {
        let stakes = |holdings: &[Holding]| -> Value {
            holdings
                .iter()
                .map(|it| (it.operator.clone(), Value::String(it.bonded.to_string())))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let files: Vec<&PathBuf> = self.evidence.iter().map(|(path, _)| path).collect();
        json!({
            "event": "report",
            "processes": self.processes,
            "slots": self.slots,
            "inputs": self.inputs,
            "claims": self.claims,
            "certified": self.certified,
            "certificates": self.certificates,
            "faults": self.slashings.len(),
            "evidence": files,
            "slashings": self.slashings,
            "seconds_from_lie_to_escrow": self.seconds,
            "stakes": { "before": stakes(&self.before), "after": stakes(&self.after) },
        })
    }

    /// Whether the right operator lost stake, and nobody else (rule DN-4); what to say then.
    pub(super) fn judge(&self, faults: &[Fault]) -> Result<String, String> {
        let lost: BTreeSet<&str> = self
            .before
            .iter()
            .filter(|was| {
                let is = self.after.iter().find(|it| it.operator == was.operator);
                is.is_none_or(|is| is.bonded < was.bonded)
            })
            .map(|it| it.operator.as_str())
            .collect();
        let culprits = |blind: bool| {
            let those = faults
                .iter()
                .filter(move |it| match it.is_a_verifiers() {
                    false => !blind,
                    true => blind && it.blind_slot().is_some(),
                })
                .map(culprit);
            let names = those.filter_map(|it| self.names.get(it));
            names.map(String::as_str).collect::<BTreeSet<&str>>()
        };
        // Who approves blindly lies only if it draws the claim.
        let (liars, blind) = (culprits(false), culprits(true));
        let named = |them: &BTreeSet<&str>| {
            let names: Vec<String> = them.iter().map(|it| self.name(it)).collect();
            names.join(", ")
        };
        let spared: BTreeSet<&str> = liars.difference(&lost).copied().collect();
        let harmed = lost
            .iter()
            .filter(|it| !liars.contains(*it) && !blind.contains(*it));
        let harmed: BTreeSet<&str> = harmed.copied().collect();
        if !harmed.is_empty() {
            return Err(format!("honest operators lost stake: {}", named(&harmed)));
        }
        if !spared.is_empty() {
            return Err(format!("{} lied and lost nothing", named(&spared)));
        }
        Ok(match lost.len() {
            0 => "nobody lied, and nobody lost stake".into(),
            1 => format!("{} lied and lost its stake; nobody else did", named(&lost)),
            _ => format!(
                "{} lied and lost their stake; nobody else did",
                named(&lost)
            ),
        })
    }
}

/// Saves an evidence file from the first node that has it.
async fn save_evidence(
    plan: &Plan,
    network: &Network,
    id: &str,
) -> Result<Option<(PathBuf, u64)>, DevnetError> {
    for node in network.nodes() {
        let Ok(bytes) = node.api().bytes(&format!("/v1/evidence/{id}")).await else {
            continue;
        };
        if Evidence::id_of(&bytes).to_string() != id {
            continue;
        }
        let path = plan.dir.join("evidence").join(format!("{id}.cbor"));
        save(&path, &bytes)?;
        return Ok(Some((path, u64::try_from(bytes.len()).unwrap_or(0))));
    }
    Ok(None)
}

/// Writes a file of the network's directory.
pub(super) fn save(path: &std::path::Path, bytes: &[u8]) -> Result<(), DevnetError> {
    std::fs::write(path, bytes).map_err(|error| DevnetError::File {
        what: path.display().to_string(),
        error,
    })
}

impl Report {
    /// What the network calls an operator.
    fn name(&self, operator: &str) -> String {
        let index = self.names.iter().position(|it| it == operator);
        index.map_or_else(
            || operator.to_owned(),
            |it| format!("node-{}", it.saturating_add(1)),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "processes         {}", self.processes.len())?;
        writeln!(
            f,
            "inputs evaluated  {} of {} slots",
            self.inputs, self.slots
        )?;
        writeln!(f, "claims            {}", self.claims)?;
        writeln!(
            f,
            "certified         {} slots (certificates not settled yet: {})",
            self.certified, self.certificates
        )?;
        for slashing in &self.slashings {
            self.offence(f, slashing)?;
        }
        if let Some(seconds) = self.seconds {
            writeln!(f, "lie to escrow     {seconds:.2} s")?;
        }
        for (path, bytes) in &self.evidence {
            writeln!(f, "evidence          {} ({bytes} bytes)", path.display())?;
            writeln!(
                f,
                "  judge it        surety audit verify {}",
                path.display()
            )?;
        }
        writeln!(f, "stake before and after, in AO:")?;
        for operator in &self.names {
            let of = |holdings: &[Holding]| {
                let found = holdings.iter().find(|it| it.operator == *operator);
                found.map_or(0, |it| it.bonded / surety_protocol::stake::AO)
            };
            writeln!(
                f,
                "  {:8} {operator}  {:>8}  {:>8}",
                self.name(operator),
                of(&self.before),
                of(&self.after),
            )?;
        }
        Ok(())
    }
}

impl Report {
    fn offence(&self, f: &mut fmt::Formatter<'_>, slashing: &Value) -> fmt::Result {
        let text = |name: &str| slashing.get(name).and_then(Value::as_str).unwrap_or("?");
        let number = |name: &str| slashing.get(name).and_then(Value::as_u64).unwrap_or(0);
        let amount: u128 = text("amount").parse().unwrap_or(0);
        writeln!(
            f,
            "offence           {} at slot {} by {}",
            text("kind"),
            number("slot"),
            self.name(text("offender")),
        )?;
        writeln!(f, "  process         {}", text("process"))?;
        writeln!(
            f,
            "  penalty         {} AO, in escrow until block {}; then {} gets its share and the rest burns",
            amount / surety_protocol::stake::AO,
            number("escrow_until"),
            self.name(text("challenger")),
        )
    }
}
