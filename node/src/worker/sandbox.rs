//! What a worker gives up before it sees the first byte of a stranger (rule WK-1).

#![allow(
    unsafe_code,
    reason = "descriptors that nobody here opened can be closed by their numbers only"
)]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use tracing::warn;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What compiling and executing ask of the kernel, whatever the arguments: memory, threads that are there, time, the socket.
const ALLOWED: &[i64] = &[
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
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
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_statx,
    libc::SYS_fstat,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// Files by their paths, where Landlock says which.
const PATHS: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_getdents64,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

/// Types of the requests by which it learns which of its own memory was written: those of userfaultfd and of pagemap.
const IOCTL_TYPES: [u64; 2] = [0xaa << 8, (b'f' as u64) << 8];
const IOCTL_TYPE_MASK: u64 = 0xff << 8;

/// Closes what whoever started the node left open for all its children: all but the standard descriptors. Nothing may have been
/// opened yet.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn close_inherited() -> io::Result<()> {
    let (first, last, flags): (u32, u32, u32) = (3, u32::MAX, 0);
    // SAFETY: the call takes numbers alone, and no descriptor from the third on is anybody's here.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Confines this process, which must have one thread yet: its files to one directory, its calls to what the lists allow. If the
/// machine runs out of memory, it is the first to go. Where the kernel has no Landlock, it has no files at all.
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
    let confined = confine_files(directory).map_err(io::Error::other)?;
    if !confined {
        warn!("the kernel has no Landlock: workers compile every module anew");
    }
    confine_calls(confined).map_err(io::Error::other)
}

/// Whether the kernel confines files.
fn confine_files(directory: &Path) -> Result<bool, AnyError> {
    let abi = ABI::V4;
    let files = AccessFs::from_all(abi) & !AccessFs::Execute;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(directory)?, files))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

fn confine_calls(paths: bool) -> Result<(), AnyError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let more: &[i64] = if paths { PATHS } else { &[] };
    for call in ALLOWED.iter().chain(more) {
        rules.insert(*call, Vec::new());
    }
    let own = u64::from(std::process::id());
    let is = |argument, value| condition(argument, SeccompCmpOp::Eq, value);
    // A signal to itself, as an abort is; its own limits, which bound the stacks of threads.
    rules.insert(libc::SYS_tgkill, vec![rule(is(0, own)?)?]);
    rules.insert(libc::SYS_prlimit64, vec![rule(is(0, 0)?)?]);
    // A name for a thread.
    let name = u64::try_from(libc::PR_SET_NAME)?;
    rules.insert(libc::SYS_prctl, vec![rule(is(0, name)?)?]);
    // What is open and how; not who is told of what comes.
    let flags = [
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
    ];
    let flags = flags.map(|it| rule(is(1, u64::try_from(it)?)?));
    rules.insert(
        libc::SYS_fcntl,
        flags.into_iter().collect::<Result<_, AnyError>>()?,
    );
    if paths {
        // When a file that is open was used: no path.
        let none = condition_of(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
        rules.insert(libc::SYS_utimensat, vec![rule(none)?]);
    }
    // Threads, not processes: those are neither watched nor ended. How the newer call is meant no filter sees; who is told
    // that there is none uses this one.
    let thread = u64::try_from(libc::CLONE_THREAD)?;
    let thread = condition(0, SeccompCmpOp::MaskedEq(thread), thread)?;
    rules.insert(libc::SYS_clone, vec![rule(thread)?]);
    let requests = IOCTL_TYPES.map(|it| {
        let request = condition(1, SeccompCmpOp::MaskedEq(IOCTL_TYPE_MASK), it)?;
        rule(request)
    });
    let requests: Result<Vec<SeccompRule>, AnyError> = requests.into_iter().collect();
    rules.insert(libc::SYS_ioctl, requests?);
    let architecture: TargetArch = std::env::consts::ARCH.try_into()?;
    let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(apply_filter(&program)?)
}

fn condition(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, AnyError> {
    condition_of(argument, SeccompCmpArgLen::Dword, how, value)
}

fn condition_of(
    argument: u8,
    length: SeccompCmpArgLen,
    how: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, AnyError> {
    Ok(SeccompCondition::new(argument, length, how, value)?)
}

fn rule(condition: SeccompCondition) -> Result<SeccompRule, AnyError> {
    Ok(SeccompRule::new(vec![condition])?)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::path::PathBuf;
    use std::process::{Command, ExitStatus};

    use rustix::process::{Pid, getppid, test_kill_process};

    use super::*;

    /// The variable that makes a test the one who is confined, with the place of everything it tries.
    const PLACE: &str = "SURETY_TEST_CONFINED";

    /// Runs a test of this program again as somebody else.
    fn again(name: &str, place: &Path) -> ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads", "1", name])
            .env(PLACE, place)
            .status()
            .unwrap()
    }

    /// What may not be, and was.
    fn forbidden(place: &Path, port: u16, parent: Pid) -> Vec<&'static str> {
        let outside = place.join("outside");
        let tried: [(&str, bool); 14] = [
            ("to read a file", File::open(&outside).is_ok()),
            ("to read the system's", File::open("/etc/passwd").is_ok()),
            ("to read its own", File::open("/proc/self/maps").is_ok()),
            ("to write a file", fs::write(&outside, b"other").is_ok()),
            ("to make a file", File::create(place.join("new")).is_ok()),
            ("to remove a file", fs::remove_file(&outside).is_ok()),
            (
                "to make a folder",
                fs::create_dir(place.join("dir")).is_ok(),
            ),
            ("to list a folder", fs::read_dir(place).is_ok()),
            (
                "to move a file in",
                fs::rename(&outside, place.join("own/it")).is_ok(),
            ),
            (
                "to call somebody",
                TcpStream::connect(("127.0.0.1", port)).is_ok(),
            ),
            ("to listen", TcpListener::bind("127.0.0.1:0").is_ok()),
            ("to send", UdpSocket::bind("127.0.0.1:0").is_ok()),
            (
                "to start a program",
                Command::new("/bin/true").spawn().is_ok(),
            ),
            (
                "to look after its parent",
                test_kill_process(parent).is_ok(),
            ),
        ];
        let was = tried.into_iter().filter(|(_, could)| *could);
        was.map(|(what, _)| what).collect()
    }

    #[test]
    fn what_is_confined_has_its_own_folder_and_nothing_else() {
        let name = "worker::sandbox::tests::what_is_confined_has_its_own_folder_and_nothing_else";
        if let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) {
            let port = fs::read_to_string(place.join("port")).unwrap();
            let (port, own) = (port.parse().unwrap(), place.join("own"));
            let parent = getppid().unwrap();
            // All of it is possible before.
            assert!(File::open(place.join("outside")).is_ok());
            assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
            enter(&own).unwrap();
            assert_eq!(forbidden(&place, port, parent), Vec::<&str>::new());
            let file = own.join("artefact");
            fs::write(&file, b"compiled").unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"compiled");
            fs::remove_file(&file).unwrap();
            // Memory is what it may have.
            assert_eq!(vec![1_u8; 64 << 20].len(), 64 << 20);
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        fs::create_dir(place.path().join("own")).unwrap();
        fs::write(place.path().join("port"), port).unwrap();
        fs::write(place.path().join("outside"), b"as it was").unwrap();
        assert!(again(name, place.path()).success());
        let outside = fs::read(place.path().join("outside")).unwrap();
        assert_eq!(outside, b"as it was");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3);
    }
}
