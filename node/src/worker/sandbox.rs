//! What a worker gives up before it sees the first byte of a stranger (rule WK-1).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
use tracing::warn;

/// What compiling and executing ask of the kernel, once the files are open: memory, threads, time, the socket, and the
/// files of one directory. Everything else fails.
const ALLOWED: &[i64] = &[
    // Memory, and which of it was written.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_ioctl,
    // Threads and signals.
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tgkill,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    // What is open.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fcntl,
    libc::SYS_statx,
    libc::SYS_fstat,
    libc::SYS_ftruncate,
    // Compiled modules; Landlock says where.
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_getdents64,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
];

/// Confines this process, which must have one thread yet: its files to one directory, its calls to what the list allows. If
/// the machine runs out of memory, it is the first to go. Where the kernel has no Landlock, a warning says so.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn enter(directory: &Path) -> io::Result<()> {
    std::fs::write("/proc/self/oom_score_adj", "1000")?;
    // What it had in memory is for nobody's eyes.
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    confine_files(directory).map_err(io::Error::other)?;
    confine_calls().map_err(io::Error::other)
}

fn confine_files(directory: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let abi = ABI::V4;
    let files = AccessFs::from_all(abi) & !AccessFs::Execute;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(directory)?, files))?
        .restrict_self()?;
    if status.ruleset != RulesetStatus::FullyEnforced {
        warn!(status = ?status.ruleset, "the kernel does not confine a worker's files entirely");
    }
    Ok(())
}

fn confine_calls() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let architecture: TargetArch = std::env::consts::ARCH.try_into()?;
    let allowed: BTreeMap<i64, Vec<_>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(allowed, refused, SeccompAction::Allow, architecture)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(apply_filter(&program)?)
}
