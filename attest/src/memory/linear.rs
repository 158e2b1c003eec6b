//! Regions as the linear memories of wasmtime.

use std::cell::RefCell;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use wasmtime::{Error, LinearMemory, MemoryCreator, MemoryType};

use super::written::Tracker;
use super::{Region, Watching};

/// Address space in which a memory grows without being moved. Half of what 32 bits address: a comparison of an address of 64
/// bits with it is one instruction, since it fits a signed number of 32.
pub(crate) const RESERVED: u64 = 1 << 31;

/// Address space behind it that nothing is ever in: with [`RESERVED`], all that 32 bits address and the largest offset that
/// compilers give, so that addresses of 32 bits are not compared at all.
pub(crate) const GUARD: u64 = (1 << 31) + (32 << 20);

thread_local! {
    /// The region of the memory that was made last on this thread.
    static MADE: RefCell<Option<Arc<Region>>> = const { RefCell::new(None) };
}

/// The region of the memory that wasmtime made during the instantiation that just ended on this
/// thread.
pub(crate) fn take_made() -> Option<Arc<Region>> {
    MADE.take()
}

/// Makes regions for wasmtime.
pub(crate) struct Creator {
    tracker: Option<&'static Tracker>,
    bytes_max: usize,
}

impl Creator {
    /// Its regions learn of writes from the kernel without faults where that is wanted and possible, else by faults. Each has at
    /// most so many bytes.
    pub(crate) fn new(watching: Watching, bytes_max: u64) -> Self {
        let tracker = match watching {
            Watching::Kernel => Tracker::get(),
            Watching::Faults => None,
        };
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Self { tracker, bytes_max }
    }
}

// SAFETY: a region reserves what is asked for and its guard, all bytes beyond `size` fault, those
// within are zero at first, and the base never moves. That pages within `size` may be closed makes
// guests trap, and host functions ask before they touch.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let reserved = reserved.unwrap_or(minimum);
        if minimum > reserved.min(self.bytes_max) {
            return Err("larger than its reservation, or than this host allows".to_owned());
        }
        let region = Region::reserve(reserved, guard, minimum, self.tracker)
            .map_err(|error| error.to_string())?;
        let region = Arc::new(region);
        MADE.set(Some(Arc::clone(&region)));
        Ok(Box::new(Linear {
            region,
            reserved,
            bytes_max: reserved.min(self.bytes_max),
        }))
    }
}

struct Linear {
    region: Arc<Region>,
    reserved: usize,
    bytes_max: usize,
}

// SAFETY: as above; `grow_to` makes exactly the new bytes accessible.
unsafe impl LinearMemory for Linear {
    fn byte_size(&self) -> usize {
        self.region.size.load(Relaxed)
    }

    fn byte_capacity(&self) -> usize {
        self.reserved
    }

    fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
        if size > self.bytes_max {
            return Err(Error::new(self.region.give_up()));
        }
        self.region.grow_to(size).map_err(Error::new)
    }

    fn as_ptr(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.region.base)
    }
}
