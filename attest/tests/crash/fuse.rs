//! Where a machine stops: after so many effects.

/// Counts effects down to the one that is not performed any more.
#[derive(Debug, Default)]
pub(crate) struct Fuse(pub(crate) Option<usize>);

impl Fuse {
    /// Whether the machine stops before this effect; it stays stopped then.
    pub(crate) fn burns(&mut self) -> bool {
        match &mut self.0 {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}
