//! Where the code of a function runs on without a fork, and what each such stretch costs.

use wasmparser::Operator;

use super::cost::Costs;

/// A stretch of operators of which each runs if the first does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The index of its first operator.
    pub(super) at: usize,
    /// What all of it costs.
    pub(super) cost: u64,
    /// Whether it is where a function or a turn of a loop begins.
    pub(super) checked: bool,
}

/// What the walk needs to know of an enclosing `block`, `loop` or `if`.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Whether control can come to its end from elsewhere than from just before it.
    joins: bool,
    /// Branches to it go to its beginning.
    is_loop: bool,
}

/// Walks over the operators of one valid function, in order.
#[derive(Debug)]
pub(super) struct Blocks {
    costs: Costs,
    done: Vec<Block>,
    /// The block that the next operator belongs to; none where the code cannot be reached.
    open: Option<Block>,
    frames: Vec<Frame>,
    next: usize,
}

impl Blocks {
    pub(super) fn new(costs: Costs) -> Self {
        let entry = Block {
            at: 0,
            cost: costs.entry,
            checked: true,
        };
        let function = Frame {
            joins: true,
            is_loop: false,
        };
        Self {
            costs,
            done: Vec::new(),
            open: Some(entry),
            frames: vec![function],
            next: 0,
        }
    }

    /// Takes the next operator.
    pub(super) fn operator(&mut self, operator: &Operator<'_>) {
        if let Some(open) = &mut self.open {
            open.cost = open.cost.saturating_add((self.costs.operator)(operator));
        }
        self.next += 1;
        match operator {
            Operator::Block { .. } => self.enter(false, false),
            Operator::Loop { .. } => {
                self.enter(false, true);
                self.begin(true);
            }
            Operator::If { .. } => {
                self.enter(true, false);
                self.begin(false);
            }
            Operator::Else => self.begin(false),
            Operator::End if self.leave() => self.begin(false),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.stop();
            }
            Operator::BrIf { relative_depth } => {
                self.branch(*relative_depth);
                self.begin(false);
            }
            Operator::BrTable { targets } => {
                // Valid: every target can be read.
                for target in targets.targets().flatten() {
                    self.branch(target);
                }
                self.branch(targets.default());
                self.stop();
            }
            Operator::Return | Operator::Unreachable => self.stop(),
            _ => {}
        }
    }

    /// The blocks that cost something or are checked, in order.
    pub(super) fn finish(mut self) -> Vec<Block> {
        self.stop();
        self.done
    }

    fn enter(&mut self, joins: bool, is_loop: bool) {
        self.frames.push(Frame { joins, is_loop });
    }

    /// Whether control comes to the end of the innermost frame from elsewhere too.
    fn leave(&mut self) -> bool {
        self.frames.pop().is_some_and(|frame| frame.joins)
    }

    fn branch(&mut self, relative_depth: u32) {
        let depth = usize::try_from(relative_depth).unwrap_or(usize::MAX);
        let index = self.frames.len().checked_sub(depth.saturating_add(1));
        if let Some(frame) = index.and_then(|it| self.frames.get_mut(it)) {
            // Who branches to a loop comes to its beginning, which is a block of its own already.
            frame.joins |= !frame.is_loop;
        }
    }

    fn stop(&mut self) {
        let worth = |block: &Block| block.checked || block.cost > 0;
        self.done.extend(self.open.take().filter(worth));
    }

    fn begin(&mut self, checked: bool) {
        self.stop();
        self.open = Some(Block {
            at: self.next,
            cost: 0,
            checked,
        });
    }
}
