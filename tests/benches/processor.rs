//! Time of the processor, which other load on the machine does not change.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of the processor that this thread takes while it works.
pub(crate) fn processor<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let now = || {
        let taken = clock_gettime(ClockId::ThreadCPUTime);
        taken.tv_sec as f64 * 1e3 + taken.tv_nsec as f64 / 1e6
    };
    let begin = now();
    let done = work();
    (now() - begin, done)
}
