//! What AO calls the kinds of modules.

use wasmparser::{Parser, Payload};

/// The format that AO's loader would read a module as: by the width of its memory's addresses. What is malformed is refused
/// elsewhere.
pub fn format(wasm: &[u8]) -> &'static str {
    let wide = Parser::new(0)
        .parse_all(wasm)
        .map_while(Result::ok)
        .find_map(|payload| match payload {
            Payload::MemorySection(section) => {
                let first = section.into_iter().next()?.ok()?;
                Some(first.memory64)
            }
            _ => None,
        });
    match wide {
        Some(true) => "wasm64-unknown-emscripten-draft_2024_02_15",
        _ => "wasm32-unknown-emscripten4",
    }
}
