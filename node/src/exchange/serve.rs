//! Answering what others ask, from the archive and of claims from what was heard (rules XC-3 and XC-8).

use serde_bytes::ByteBuf;
use surety_attest::claims::Claims;
use surety_protocol::codec;
use surety_protocol::evidence::InputBytes;

use super::{
    ANSWER_BYTES, BlocksAnswer, BlocksRequest, ClaimsRequest, EvidenceRequest, ItemAnswer,
    ItemRequest, LogAnswer, LogRequest, PagesAnswer, PagesRequest, claims,
};
use crate::archive::{Archive, ArchiveError, Ask, LOG_PAGE_MAX, NODES_MAX, PAGES_MAX};
use crate::net::Protocol;

/// The answer to a request, or nothing if the request is malformed: the asking peer is at fault then.
///
/// # Errors
/// If the archive fails.
pub fn serve(
    archive: &Archive,
    heard: &Claims,
    protocol: Protocol,
    request: &[u8],
) -> Result<Option<Vec<u8>>, ArchiveError> {
    match protocol {
        Protocol::Assignments => log(archive, request),
        Protocol::Messages => item(archive, request),
        Protocol::Pages => pages(archive, request),
        Protocol::Claims => {
            let Ok(asked) = codec::decode::<ClaimsRequest>(request) else {
                return Ok(None);
            };
            claims::answer(archive, heard, &asked).map(Some)
        }
        Protocol::Evidence => {
            let Ok(asked) = codec::decode::<EvidenceRequest>(request) else {
                return Ok(None);
            };
            let piece = archive.evidence_piece(&asked.evidence, asked.piece)?;
            Ok(Some(piece.unwrap_or_default()))
        }
        Protocol::Blocks => blocks(archive, request),
        // The network layer answers these itself.
        Protocol::Peers => Ok(None),
    }
}

fn log(archive: &Archive, request: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
    let Ok(asked) = codec::decode::<LogRequest>(request) else {
        return Ok(None);
    };
    let mut slots = Vec::new();
    let mut bytes = 0_usize;
    for (assignment, message) in archive.log(&asked.process, asked.from, LOG_PAGE_MAX)? {
        bytes = bytes.saturating_add(assignment.bytes().len());
        bytes = bytes.saturating_add(message.as_ref().map_or(0, |it| it.bytes().len()));
        if bytes > ANSWER_BYTES && !slots.is_empty() {
            break;
        }
        slots.push(InputBytes {
            assignment: ByteBuf::from(assignment.bytes()),
            message: message.map(|it| ByteBuf::from(it.bytes())),
        });
    }
    Ok(Some(codec::encode(&LogAnswer { slots })?))
}

fn item(archive: &Archive, request: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
    let Ok(asked) = codec::decode::<ItemRequest>(request) else {
        return Ok(None);
    };
    let found = match (asked.wanted, asked.location) {
        (Some(wanted), _) => archive.item_bytes(&wanted)?,
        (None, Some(scheduler)) => archive.location(&scheduler)?.map(|it| it.bytes().to_vec()),
        (None, None) => return Ok(None),
    };
    let item = found.map(ByteBuf::from);
    Ok(Some(codec::encode(&ItemAnswer {
        item,
        scheduled: None,
        refused: None,
    })?))
}

fn pages(archive: &Archive, request: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
    let Ok(asked) = codec::decode::<PagesRequest>(request) else {
        return Ok(None);
    };
    if asked.pages.len() > PAGES_MAX || asked.nodes.len() > NODES_MAX {
        return Ok(None);
    }
    let parts = archive.state_parts(&Ask {
        head: asked.head,
        nodes: asked.nodes,
        pages: asked.pages,
    })?;
    let lead = match asked.leaves {
        Some((process, size)) => archive.lead(&process, size)?,
        None => None,
    };
    Ok(Some(codec::encode(&PagesAnswer {
        head: parts.head,
        nodes: parts.nodes,
        pages: parts.pages.into_iter().map(ByteBuf::from).collect(),
        leaves: lead.map(|it| (it.frontier, it.leaves)),
    })?))
}

fn blocks(archive: &Archive, request: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
    let Ok(asked) = codec::decode::<BlocksRequest>(request) else {
        return Ok(None);
    };
    let mut blocks = Vec::new();
    let mut bytes = 0_usize;
    let mut height = asked.from;
    while blocks.len() < 256 {
        let Some(block) = archive.block(height)? else {
            break;
        };
        let block = codec::encode(&block)?;
        bytes = bytes.saturating_add(block.len());
        if bytes > ANSWER_BYTES && !blocks.is_empty() {
            break;
        }
        blocks.push(ByteBuf::from(block));
        height = height.next();
    }
    Ok(Some(codec::encode(&BlocksAnswer { blocks })?))
}
