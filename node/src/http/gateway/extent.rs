//! How much a query says once its fragments stand where they are named (rule GW-3).
//!
//! Whoever checks and answers a query goes through its fragments wherever they are named. A few hundred bytes of fragments that
//! name one another twice are more than any machine goes through; so they are counted before.

use std::collections::BTreeMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

use crate::http::problem::Problem;

/// Selections of a query: more than a query of any client has, and no work to go through.
const SELECTIONS_MAX: usize = 2000;
/// Fragments of a query, which may name one another in a chain.
const FRAGMENTS_MAX: usize = 32;
/// How deep selections and fragments lie in one another; what answers queries allows less.
const DEPTH_MAX: usize = 64;

/// Refuses a query that says more than that.
pub(super) fn check(document: &ExecutableDocument) -> Result<(), Problem> {
    let too_long = || Problem::malformed("query-too-long", "the query says too much");
    if document.fragments.len() > FRAGMENTS_MAX {
        return Err(too_long());
    }
    let mut extent = Extent {
        document,
        fragments: BTreeMap::new(),
    };
    let operations = document.operations.iter();
    let mut total = operations
        .map(|(_, it)| extent.of(&it.node.selection_set.node, 0))
        .fold(0, usize::saturating_add);
    // Those that nobody names are checked too.
    let names: Vec<&str> = document.fragments.keys().map(|it| it.as_str()).collect();
    for name in names {
        total = total.saturating_add(extent.of_fragment(name, 0));
    }
    match total > SELECTIONS_MAX {
        true => Err(too_long()),
        false => Ok(()),
    }
}

/// Counts each fragment once.
struct Extent<'a> {
    document: &'a ExecutableDocument,
    /// What each has; while it is counted, more than anything may have: so one that names itself has no end.
    fragments: BTreeMap<&'a str, usize>,
}

impl<'a> Extent<'a> {
    fn of(&mut self, set: &'a SelectionSet, depth: usize) -> usize {
        if depth >= DEPTH_MAX {
            return usize::MAX;
        }
        let below = depth.saturating_add(1);
        let each = set.items.iter().map(|it| match &it.node {
            Selection::Field(field) => self.of(&field.node.selection_set.node, below),
            Selection::InlineFragment(inside) => self.of(&inside.node.selection_set.node, below),
            Selection::FragmentSpread(named) => {
                self.of_fragment(named.node.fragment_name.node.as_str(), below)
            }
        });
        each.fold(set.items.len(), usize::saturating_add)
    }

    fn of_fragment(&mut self, name: &'a str, depth: usize) -> usize {
        if let Some(known) = self.fragments.get(name) {
            return *known;
        }
        // One that is not there is refused by who answers.
        let Some(fragment) = self.document.fragments.get(name) else {
            return 0;
        };
        self.fragments.insert(name, usize::MAX);
        let count = self.of(&fragment.node.selection_set.node, depth);
        self.fragments.insert(name, count);
        count
    }
}
