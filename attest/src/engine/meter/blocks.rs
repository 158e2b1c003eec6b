//! Which operators of a function run together, and what each such stretch costs (rule GA-2).

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
    /// The block that it stands in; none where the code cannot be reached.
    around: Option<usize>,
    /// The outermost frame that something within branches to, by its place in the list.
    outermost: usize,
}

/// Walks over the operators of one valid function, in order.
#[derive(Debug)]
pub(super) struct Blocks {
    costs: Costs,
    blocks: Vec<Block>,
    /// The block that the next operator belongs to; none where the code cannot be reached.
    open: Option<usize>,
    frames: Vec<Frame>,
    next: usize,
}

impl Blocks {
    pub(super) fn new(costs: Costs) -> Self {
        let mut blocks = Self {
            costs,
            blocks: Vec::new(),
            open: None,
            frames: Vec::new(),
            next: 0,
        };
        blocks.enter(true, false);
        blocks.begin(true);
        blocks.cost(costs.entry);
        blocks
    }

    /// Takes the next operator; nothing if it has no price.
    pub(super) fn operator(&mut self, operator: &Operator<'_>) -> Option<()> {
        self.cost(self.costs.of(operator)?);
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
            Operator::End => self.leave(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.open = None;
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
                self.open = None;
            }
            Operator::Return => {
                self.branch_to(0);
                self.open = None;
            }
            Operator::Unreachable => self.open = None,
            _ => {}
        }
        Some(())
    }

    /// The blocks that cost something or are checked, in order.
    pub(super) fn finish(self) -> Vec<Block> {
        let worth = |block: &Block| block.checked || block.cost > 0;
        self.blocks.into_iter().filter(worth).collect()
    }

    fn cost(&mut self, cost: u64) {
        if let Some(open) = self.open.and_then(|it| self.blocks.get_mut(it)) {
            open.cost = open.cost.saturating_add(cost);
        }
    }

    fn begin(&mut self, checked: bool) {
        self.open = Some(self.blocks.len());
        self.blocks.push(Block {
            at: self.next,
            cost: 0,
            checked,
        });
    }

    fn enter(&mut self, joins: bool, is_loop: bool) {
        self.frames.push(Frame {
            joins,
            is_loop,
            around: self.open,
            outermost: self.frames.len(),
        });
    }

    /// Behind the end of a frame that control joins goes on what is around it, if everybody who enters it comes there.
    fn leave(&mut self) {
        let Some(left) = self.frames.pop() else {
            return;
        };
        let stays = left.outermost >= self.frames.len();
        self.branch_to(left.outermost);
        if !left.joins {
            return;
        }
        match left.around {
            Some(_) if stays => self.open = left.around,
            _ => self.begin(false),
        }
    }

    fn branch(&mut self, relative_depth: u32) {
        let depth = usize::try_from(relative_depth).unwrap_or(usize::MAX);
        let Some(index) = self.frames.len().checked_sub(depth.saturating_add(1)) else {
            return;
        };
        self.branch_to(index);
        if let Some(frame) = self.frames.get_mut(index) {
            // Who branches to a loop comes to its beginning, which is a block of its own already.
            frame.joins |= !frame.is_loop;
        }
    }

    /// Something within the innermost frame goes to that one.
    fn branch_to(&mut self, index: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.outermost = frame.outermost.min(index);
        }
    }
}
