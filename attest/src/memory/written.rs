//! Finding written pages without a signal: the kernel clears a page's write protection by itself (an asynchronous
//! `userfaultfd`), and `PAGEMAP_SCAN` says of which pages it did (Linux 6.7 and newer).

use std::mem::size_of;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use surety_protocol::witness::PAGE_BYTES;

// From linux/userfaultfd.h and linux/fs.h, which the libc crate does not have.
const UFFD_API: u64 = 0xaa;
const UFFD_USER_MODE_ONLY: libc::c_int = 1;
const FEATURES: u64 = (1 << 12) | (1 << 13) | (1 << 15);
const REGISTER_MODE_WP: u64 = 1 << 1;
const WRITEPROTECT_MODE_WP: u64 = 1;
const PAGE_IS_WRITTEN: u64 = 1 << 1;
const PM_SCAN_WP_MATCHING: u64 = 1;
const PM_SCAN_CHECK_WPASYNC: u64 = 1 << 1;
/// Stretches of written pages that one call tells.
const STRETCHES: usize = 1024;

#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
struct Register {
    start: u64,
    len: u64,
    mode: u64,
    ioctls: u64,
}

#[repr(C)]
struct WriteProtect {
    start: u64,
    len: u64,
    mode: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Stretch {
    start: u64,
    end: u64,
    categories: u64,
}

#[repr(C)]
#[derive(Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `_IOWR(kind, number, T)`.
const fn read_write<T>(kind: u8, number: u8) -> libc::c_ulong {
    (3 << 30)
        | ((size_of::<T>() as libc::c_ulong) << 16)
        | ((kind as libc::c_ulong) << 8)
        | number as libc::c_ulong
}

const UFFDIO_API: libc::c_ulong = read_write::<Api>(0xaa, 0x3f);
const UFFDIO_REGISTER: libc::c_ulong = read_write::<Register>(0xaa, 0);
const UFFDIO_WRITEPROTECT: libc::c_ulong = read_write::<WriteProtect>(0xaa, 6);
const PAGEMAP_SCAN: libc::c_ulong = read_write::<Scan>(b'f', 16);

/// What this process asks the kernel through. One serves all regions.
#[derive(Debug)]
pub(super) struct Tracker {
    uffd: OwnedFd,
    pagemap: OwnedFd,
}

impl Tracker {
    /// The tracker of this process; `None` if its kernel has none for it.
    pub(super) fn get() -> Option<&'static Tracker> {
        static TRACKER: OnceLock<Option<Tracker>> = OnceLock::new();
        TRACKER.get_or_init(Tracker::new).as_ref()
    }

    fn new() -> Option<Tracker> {
        // An ordinary user may watch only its own writes, which is all that is wanted: they never come from the kernel.
        let uffd = [0, UFFD_USER_MODE_ONLY].into_iter().find_map(|more| {
            let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | more;
            // SAFETY: the call takes flags alone.
            let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
            owned(i32::try_from(fd).ok()?)
        })?;
        // What the kernel knows of this process' own pages; nothing of a file system.
        // SAFETY: the path is a string that ends with a zero.
        let pagemap = unsafe {
            libc::open(
                c"/proc/self/pagemap".as_ptr(),
                libc::O_RDONLY | libc::O_CLOEXEC,
            )
        };
        let pagemap = owned(pagemap)?;
        let tracker = Tracker { uffd, pagemap };
        let mut api = Api {
            api: UFFD_API,
            features: FEATURES,
            ioctls: 0,
        };
        tracker.uffd_call(UFFDIO_API, &mut api).then_some(tracker)
    }

    /// Protects a range of memory anew, all of it; false if the kernel refuses.
    pub(super) fn protect(&self, range: &Range<usize>) -> bool {
        let (start, len) = (range.start as u64, range.len() as u64);
        let mut register = Register {
            start,
            len,
            mode: REGISTER_MODE_WP,
            ioctls: 0,
        };
        let mut protect = WriteProtect {
            start,
            len,
            mode: WRITEPROTECT_MODE_WP,
        };
        self.uffd_call(UFFDIO_REGISTER, &mut register)
            && self.uffd_call(UFFDIO_WRITEPROTECT, &mut protect)
    }

    /// The pages of a protected range that were written since, counted from its start; `again` protects them anew.
    /// `None` if the kernel refuses.
    pub(super) fn written(&self, range: &Range<usize>, again: bool) -> Option<Vec<u32>> {
        let mut pages = Vec::new();
        let mut stretches = [Stretch::default(); STRETCHES];
        let mut from = range.start as u64;
        let page = |at: u64| u32::try_from((at - range.start as u64) / PAGE_BYTES as u64).ok();
        while from < range.end as u64 {
            let mut scan = Scan {
                size: size_of::<Scan>() as u64,
                flags: PM_SCAN_CHECK_WPASYNC | if again { PM_SCAN_WP_MATCHING } else { 0 },
                start: from,
                end: range.end as u64,
                vec: stretches.as_mut_ptr().expose_provenance() as u64,
                vec_len: STRETCHES as u64,
                category_mask: PAGE_IS_WRITTEN,
                return_mask: PAGE_IS_WRITTEN,
                ..Scan::default()
            };
            // SAFETY: the argument has the layout of `struct pm_scan_arg` and its vector is as long as it says; the kernel
            // writes to these two alone, besides protecting pages that the tracker itself registered.
            let found =
                unsafe { libc::ioctl(self.pagemap.as_raw_fd(), PAGEMAP_SCAN, &raw mut scan) };
            let found = usize::try_from(found).ok()?;
            for stretch in stretches.iter().take(found) {
                pages.extend(page(stretch.start)?..page(stretch.end)?);
            }
            // How far it walked is told wrongly where all results fitted, so it is not asked.
            match stretches.last() {
                Some(last) if found >= STRETCHES => from = last.end,
                _ => break,
            }
        }
        Some(pages)
    }

    fn uffd_call<T>(&self, request: libc::c_ulong, argument: &mut T) -> bool {
        // SAFETY: each request is used with the structure that its number was made of.
        unsafe { libc::ioctl(self.uffd.as_raw_fd(), request, std::ptr::from_mut(argument)) == 0 }
    }
}

/// A descriptor that the kernel just gave, if it did.
fn owned(fd: libc::c_int) -> Option<OwnedFd> {
    // SAFETY: nobody else owns it.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of their own, zero at first.
    fn pages(count: usize) -> Range<usize> {
        let bytes = count * PAGE_BYTES;
        // SAFETY: a new mapping, which nobody else has and nobody ends.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        let start = start.expose_provenance();
        start..start + bytes
    }

    fn write(range: &Range<usize>, page: u32) {
        let at =
            std::ptr::with_exposed_provenance_mut::<u8>(range.start + page as usize * PAGE_BYTES);
        // SAFETY: it lies within the mapping.
        unsafe { at.write_volatile(1) };
    }

    /// Whether this kernel is new enough, and lets this process have what it takes: some containers do not.
    fn kernel_has_it() -> bool {
        // SAFETY: zeros are such a structure, and the kernel fills it with strings that end with a zero.
        let release = unsafe {
            let mut names: libc::utsname = std::mem::zeroed();
            assert_eq!(libc::uname(&raw mut names), 0);
            let release = std::ffi::CStr::from_ptr(names.release.as_ptr());
            release.to_str().unwrap().to_owned()
        };
        let mut numbers = release.split(['.', '-']).map(|it| it.parse().unwrap_or(0));
        let version: (u32, u32) = (numbers.next().unwrap(), numbers.next().unwrap());
        let flags = libc::O_CLOEXEC | UFFD_USER_MODE_ONLY;
        // SAFETY: the call takes flags alone.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
        version >= (6, 7) && owned(i32::try_from(fd).unwrap()).is_some()
    }

    /// Else comparing its roots with those of faults would compare faults with faults.
    #[test]
    fn where_the_kernel_keeps_account_it_is_asked() {
        assert_eq!(Tracker::get().is_some(), kernel_has_it());
    }

    /// An ordinary user has no more than its own writes.
    #[test]
    fn the_account_is_of_exactly_the_pages_that_were_written_however_many_stretches_they_are() {
        let Some(tracker) = Tracker::get() else {
            return;
        };
        let count = 3 * 2 * STRETCHES as u32;
        let range = pages(count as usize);
        assert!(tracker.protect(&range));
        assert_eq!(tracker.written(&range, false), Some(Vec::new()));
        let alternate: Vec<u32> = (0..count).step_by(2).collect();
        for page in &alternate {
            write(&range, *page);
        }
        assert!(tracker.written(&range, false).as_ref() == Some(&alternate));
        // Protected again while it is told, page by page.
        assert!(tracker.written(&range, true) == Some(alternate));
        assert_eq!(tracker.written(&range, true), Some(Vec::new()));
        for page in [count - 1, 7, 8, 9, 0] {
            write(&range, page);
        }
        assert_eq!(
            tracker.written(&range, true),
            Some(vec![0, 7, 8, 9, count - 1])
        );
    }
}
