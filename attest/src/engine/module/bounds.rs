//! What keeps the preparation of a module short, whoever wrote it: how many of everything it may have, and what compiling
//! it may take (rules MO-5 to MO-8).
//!
//! A compiler's time grows faster than the code: with the places where control forks, times the values that are alive
//! there, times the loops around. So modules are weighed before they are compiled. A point is about a microsecond of
//! Cranelift, measured with code that is full of one thing.

use wasmparser::{Operator, Payload};

use super::{ModuleRefused, invalid};
use crate::engine::meter::cost::Costs;

/// The frame of a function (rule MO-5): more than any compiler leaves, and less than 65,536, where wasmi ends.
pub(super) const FRAME_SLOTS_MAX: u32 = 16_384;
/// Bytes of a rewritten function (rule MO-5): almost twice what the largest of AOS with SQLite has.
pub(super) const FUNCTION_BYTES_MAX: usize = 262_144;
/// Of types, imports, functions, globals, exports, segments, elements and entries of tables (rule MO-6).
const COUNT_MAX: u64 = 65_536;
/// Parameters of a type (rule MO-7).
const PARAMS_MAX: usize = 64;
/// Results of a type (rule MO-7).
const RESULTS_MAX: usize = 16;
/// Loops within each other (rule MO-7).
const LOOPS_MAX: u32 = 64;
/// Targets of a `br_table` (rule MO-7), beside the default: Cranelift ends at 65,520.
const TARGETS_MAX: u32 = 16_384;
/// Points of all functions (rule MO-8): twenty times what AOS has.
const WEIGHT_MAX: u64 = 1 << 24;

/// Points of a function itself.
const FUNCTION: u64 = 50;
/// Of a place where control forks, or may join, beside what the function's size adds.
const FORK: u64 = 16;
/// Locals, and forks, that add one point to each fork of the same function.
const LOCALS_PER_POINT: u64 = 8;
const FORKS_PER_POINT: u64 = 32;

/// Counts what a section holds (rules MO-6 and MO-7).
pub(super) fn count(payload: &Payload<'_>) -> Result<(), ModuleRefused> {
    let counted = match payload {
        Payload::TypeSection(section) => {
            limit("types", section.count().into())?;
            for ty in section.clone().into_iter_err_on_gc_types() {
                let ty = ty.map_err(invalid)?;
                if ty.params().len() > PARAMS_MAX || ty.results().len() > RESULTS_MAX {
                    return Err(ModuleRefused::Bound(
                        "parameters or results of a type".into(),
                    ));
                }
            }
            return Ok(());
        }
        Payload::TableSection(section) => {
            for table in section.clone() {
                limit("table entries", table.map_err(invalid)?.ty.initial)?;
            }
            return Ok(());
        }
        Payload::ElementSection(section) => {
            limit("element segments", section.count().into())?;
            let mut elements = 0_u64;
            for segment in section.clone() {
                let items = segment.map_err(invalid)?.items;
                elements = elements.saturating_add(match items {
                    wasmparser::ElementItems::Functions(items) => items.count().into(),
                    wasmparser::ElementItems::Expressions(_, items) => items.count().into(),
                });
                limit("elements", elements)?;
            }
            return Ok(());
        }
        Payload::ImportSection(section) => ("imports", section.count()),
        Payload::FunctionSection(section) => ("functions", section.count()),
        Payload::GlobalSection(section) => ("globals", section.count()),
        Payload::ExportSection(section) => ("exports", section.count()),
        Payload::DataSection(section) => ("data segments", section.count()),
        _ => return Ok(()),
    };
    limit(counted.0, counted.1.into())
}

fn limit(what: &'static str, count: u64) -> Result<(), ModuleRefused> {
    if count > COUNT_MAX {
        return Err(ModuleRefused::Bound(what.into()));
    }
    Ok(())
}

/// What a module's functions weigh.
#[derive(Debug, Default)]
pub(super) struct Scales {
    points: u64,
    /// Of the function that is on the scales now.
    forks: u64,
    /// Whether each enclosing block of it is a loop, and how many are.
    frames: Vec<bool>,
    loops: u32,
}

impl Scales {
    /// Takes the next operator of a function.
    pub(super) fn operator(&mut self, operator: &Operator<'_>) -> Result<(), ModuleRefused> {
        let mut points = match operator {
            Operator::CallIndirect { .. } => 25,
            Operator::Call { .. } => 8,
            other if Costs::V1.of(other).is_some_and(|it| it >= 12) => 8,
            _ => 2,
        };
        match operator {
            Operator::Block { .. } | Operator::If { .. } => {
                self.forks += 1;
                self.frames.push(false);
            }
            Operator::Loop { .. } => {
                self.forks += 1;
                self.frames.push(true);
                self.loops += 1;
                if self.loops > LOOPS_MAX {
                    return Err(ModuleRefused::Bound("loops within each other".into()));
                }
            }
            Operator::End if self.frames.pop() == Some(true) => self.loops -= 1,
            Operator::BrIf { .. } => self.forks += 1,
            Operator::BrTable { targets } => {
                if targets.len() > TARGETS_MAX {
                    return Err(ModuleRefused::Bound("targets of a br_table".into()));
                }
                self.forks += 1;
                points += u64::from(targets.len());
            }
            _ => {}
        }
        self.add(points)
    }

    /// Takes the function away, which has so many locals.
    pub(super) fn function(&mut self, locals: u32) -> Result<(), ModuleRefused> {
        let forks = std::mem::take(&mut self.forks);
        self.frames.clear();
        self.loops = 0;
        let each = FORK + u64::from(locals) / LOCALS_PER_POINT + forks / FORKS_PER_POINT;
        self.add(FUNCTION.saturating_add(forks.saturating_mul(each)))
    }

    fn add(&mut self, points: u64) -> Result<(), ModuleRefused> {
        self.points = self.points.saturating_add(points);
        if self.points > WEIGHT_MAX {
            return Err(ModuleRefused::Weight);
        }
        Ok(())
    }
}
