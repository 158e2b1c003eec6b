//! What nodes say in public: read, compared with the truth and with what they said before (rules OC-1, OC-2).

use surety_node::archive::Archive;
use surety_node::net::Topic;
use surety_protocol::approval::Approval;
use surety_protocol::assignment::Assignment;
use surety_protocol::bundle;
use surety_protocol::claim::SignedClaim;
use surety_protocol::codec::{self, Wire};
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, AssignmentId, NetworkId};
use surety_protocol::item::Item;
use surety_protocol::origin::Action;
use surety_protocol::time::Slot;

use super::{Oracle, Violation};

impl Oracle {
    /// A node publishes something of its own.
    ///
    /// # Errors
    /// If nobody honest may say it.
    pub fn published(
        &mut self,
        who: Address,
        network: &NetworkId,
        archive: &Archive,
        topic: Topic,
        data: &[u8],
    ) -> Result<(), Violation> {
        match (topic, codec::kind_of(data).map(|(kind, _)| kind)) {
            (Topic::Assignments(_), _) => self.assignment(who, data),
            (Topic::Claims, Some(SignedClaim::KIND)) => self.claim(who, archive, data),
            (Topic::Approvals(_), _) => self.approval(who, data),
            (Topic::Ledger, None) => self.ledger_item(who, network, data),
            _ => Ok(()),
        }
    }

    /// An honest node accepts what it heard of assignments, or of approvals.
    ///
    /// # Errors
    /// If it is none.
    pub fn accepted(&mut self, who: Address, topic: Topic, data: &[u8]) -> Result<(), Violation> {
        if !self.honest.contains(&who) {
            return Ok(());
        }
        match topic {
            Topic::Approvals(_) => {
                let approval: Approval =
                    codec::decode(data).map_err(|it| Violation::new("well-formed", it))?;
                self.blind.heard(who, &approval);
            }
            Topic::Assignments(_) => {
                let broken = |_| Violation::new("well-formed", "an assignment that does not parse");
                let items = bundle::parse(data).map_err(broken)?;
                let signing = items.first().map(|it| it.to_item().signing_digest());
                // What nobody takes for an assignment, because the log has not begun there, is no lie yet.
                if let Some(told) = signing.and_then(|it| self.doubles.get(&it)) {
                    self.told.insert(*told);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn assignment(&mut self, who: Address, data: &[u8]) -> Result<(), Violation> {
        let broken = || Violation::new("well-formed", "an assignment that does not parse");
        let items = bundle::parse(data).map_err(|_| broken())?;
        let item = items.first().ok_or_else(broken)?.to_item();
        let read = Assignment::from_item(&item).map_err(|_| broken())?;
        if let Ok(item) = item.clone().authenticate() {
            self.learn(&item);
        }
        let signing = item.signing_digest();
        let before = *self
            .assigned
            .entry((read.process, read.slot))
            .or_insert(signing);
        if before == signing {
            return Ok(());
        }
        if self.honest.contains(&who) {
            let what = format!("slot {} of {} is assigned twice", read.slot, read.process);
            return Err(Violation::new("one-assignment-per-slot", what));
        }
        let told = (who, OffenceKind::DoubleAssignment, read.process, read.slot);
        self.doubles.insert(signing, told);
        Ok(())
    }

    fn claim(&mut self, who: Address, archive: &Archive, data: &[u8]) -> Result<(), Violation> {
        let claim: SignedClaim =
            codec::decode(data).map_err(|it| Violation::new("well-formed", it))?;
        let body = &claim.statement.claim;
        let id = body.id().map_err(|it| Violation::new("well-formed", it))?;
        let mut before: Vec<AssignmentId> = Vec::new();
        for slot in 0..body.first_new {
            let leaf = archive.leaf(&body.process, Slot(slot));
            let leaf = leaf.map_err(|it| Violation::new("archive", it))?;
            before.extend(leaf.map(|leaf| leaf.assignment));
        }
        let lie = self.truth.first_lie(&before, &claim);
        let lie = lie.map_err(|it| Violation::new("truth-is-known", it))?;
        self.claims.insert(id, (body.process, lie));
        self.blind.claimed(id, body.first_new, body.size);
        let honest = self.honest.contains(&who);
        if let Some(slot) = lie.filter(|_| !honest) {
            self.told
                .insert((who, OffenceKind::FalseClaim, body.process, slot));
        } else if let Some(slot) = lie {
            let what = format!("{who} lies about slot {slot} of {}", body.process);
            return Err(Violation::new("honest-claims-are-true", what));
        }
        for leaf in &claim.leaves {
            let is = leaf
                .digest()
                .map_err(|it| Violation::new("well-formed", it))?;
            let key = (who, body.process, leaf.assignment);
            if self.stood.insert(key, is).is_none_or(|was| was == is) {
                continue;
            }
            if honest {
                let what = format!("{who} stands for two leaves of slot {}", leaf.slot);
                return Err(Violation::new("one-leaf-per-assignment", what));
            }
            self.told
                .insert((who, OffenceKind::ClaimEquivocation, body.process, leaf.slot));
        }
        Ok(())
    }

    fn approval(&mut self, who: Address, data: &[u8]) -> Result<(), Violation> {
        let approval: Approval =
            codec::decode(data).map_err(|it| Violation::new("well-formed", it))?;
        let honest = self.honest.contains(&who);
        match self.claims.get(&approval.claim) {
            Some((process, None)) => {
                self.blind.approved(who, honest, *process, &approval);
                Ok(())
            }
            Some((process, Some(slot))) if !honest => {
                let told = (who, OffenceKind::FalseApproval, *process, *slot);
                self.approved.insert((approval.claim, told));
                Ok(())
            }
            lie => {
                let what = format!("{who} approves {} ({lie:?})", approval.claim);
                Err(Violation::new("honest-approvals-are-true", what))
            }
        }
    }

    fn ledger_item(
        &mut self,
        who: Address,
        network: &NetworkId,
        data: &[u8],
    ) -> Result<(), Violation> {
        let item = Item::parse(data).map_err(|it| Violation::new("well-formed", it))?;
        if self.honest.contains(&who) {
            self.items.insert(item.id());
        }
        if item.tag("Action") != Some("Verdict") || !self.honest.contains(&who) {
            return Ok(());
        }
        if let Ok((Action::Verdict(verdict), _)) = Action::from_item(network, &item) {
            let key = (who, verdict.case);
            if self
                .verdicts
                .insert(key, verdict.guilty)
                .is_some_and(|was| was != verdict.guilty)
            {
                let what = format!("{who} gives two verdicts in {}", verdict.case);
                return Err(Violation::new("one-verdict-per-case", what));
            }
        }
        Ok(())
    }
}
