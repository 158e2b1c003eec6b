//! Parts of a module that is made into another: sections with more entries, bodies operator by operator.

use wasm_encoder::{Encode, RawSection};
use wasmparser::{BinaryReader, BinaryReaderError, FunctionBody, Operator, Payload};

use crate::engine::meter::encoded;

/// The id and the bytes of a section, without the header.
pub(super) fn section<'a>(module: &'a [u8], payload: &Payload<'_>) -> Option<(u8, &'a [u8])> {
    let (id, range) = payload.as_section()?;
    Some((id, module.get(range)?))
}

/// Writes a section with `count` more entries.
pub(super) fn append(
    out: &mut wasm_encoder::Module,
    id: u8,
    data: &[u8],
    count: usize,
    more: &[u8],
) -> Result<(), BinaryReaderError> {
    let mut reader = BinaryReader::new(data, 0);
    let before = reader.read_var_u32()?;
    let entries = data.get(reader.original_position()..).unwrap_or_default();
    let mut all = Vec::with_capacity(data.len() + more.len() + 5);
    before
        .saturating_add(u32::try_from(count).unwrap_or(u32::MAX))
        .encode(&mut all);
    all.extend_from_slice(entries);
    all.extend_from_slice(more);
    out.section(&RawSection { id, data: &all });
    Ok(())
}

/// The locals that a body declares.
pub(in crate::engine) fn locals(
    body: &FunctionBody<'_>,
) -> Result<Vec<(u32, wasm_encoder::ValType)>, BinaryReaderError> {
    let groups = body.get_locals_reader()?.into_iter();
    groups
        .map(|group| group.map(|(count, ty)| (count, encoded(ty))))
        .collect()
}

/// The operators of a body of `module` with their bytes, one at a time: there may be millions.
pub(in crate::engine) fn operators<'a>(
    module: &'a [u8],
    body: &FunctionBody<'a>,
) -> Result<
    impl Iterator<Item = Result<(Operator<'a>, &'a [u8]), BinaryReaderError>>,
    BinaryReaderError,
> {
    let last = body.range().end;
    let mut operators = body
        .get_operators_reader()?
        .into_iter_with_offsets()
        .peekable();
    Ok(std::iter::from_fn(move || {
        let next = operators.next()?;
        let end = match operators.peek() {
            Some(Ok((_, next))) => *next,
            _ => last,
        };
        Some(next.map(|(operator, at)| (operator, module.get(at..end).unwrap_or_default())))
    }))
}
