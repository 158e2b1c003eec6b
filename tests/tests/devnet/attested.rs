//! Every slot with what stands behind it, as a client asks for it and checks it.

use std::path::Path;

use surety_attest::result::root_of_parts;
use surety_protocol::attested::{AttestedResult, Status};
use surety_protocol::block::Checkpoint;
use surety_protocol::codec;
use surety_protocol::time::Slot;

use super::stage::Stage;

/// Asks for the certified result of each of these slots, of processes and how many they have, and checks it against the checkpoint.
pub(crate) fn every_slot(stage: &Stage, checkpoint: &Path, processes: &[(String, u64)]) {
    let checkpoint: Checkpoint = codec::decode(&std::fs::read(checkpoint).unwrap()).unwrap();
    for (process, slots) in processes {
        for slot in 0..*slots {
            let about = format!("/v1/processes/{process}/slots/{slot}");
            let url = format!("{}{about}/attested?status=certified&wait=15", stage.unit);
            let bytes = stage.runtime.block_on(async {
                let answer = stage.http.get(url).send().await.unwrap();
                let status = answer.status();
                let bytes = answer.bytes().await.unwrap();
                let said = String::from_utf8_lossy(&bytes);
                assert!(status.is_success(), "{about}: {status} {said}");
                bytes
            });
            let attested: AttestedResult = codec::decode(&bytes).unwrap();
            let held = attested.check(&checkpoint, root_of_parts).expect(&about);
            assert_eq!(attested.process.to_string(), *process);
            assert_eq!(held.slot, Slot(slot));
            assert!(held.status >= Status::Certified, "{about}: {held:?}");
            assert!(held.backing.tickets > 0, "{about}: {held:?}");
        }
        eprintln!("{process}: {slots} certified results hold");
    }
}
