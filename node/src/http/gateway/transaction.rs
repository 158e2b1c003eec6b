//! A data item as Arweave's GraphQL shows it.

use async_graphql::{Context, Error, ID, Object, SimpleObject};
use surety_protocol::assignment::Assignment;
use surety_protocol::id::{ProcessId, base64url};
use surety_protocol::item::Item;
use surety_protocol::time::Height;

use super::block::Block;
use crate::archive::Archive;
use crate::http::Api;
use crate::http::problem::Problem;

/// A data item.
pub(super) struct Transaction(pub(super) Item);

/// A name and a value.
#[derive(SimpleObject)]
struct Tag {
    name: String,
    value: String,
}

/// Who signed.
#[derive(SimpleObject)]
struct Owner {
    address: String,
    key: String,
}

/// An amount of Arweave's token; items move none.
#[derive(SimpleObject)]
struct Amount {
    winston: &'static str,
    ar: &'static str,
}

const NOTHING: Amount = Amount {
    winston: "0",
    ar: "0",
};

/// About an item's data.
#[derive(SimpleObject)]
struct MetaData {
    size: String,
    r#type: Option<String>,
}

/// What an item is in.
#[derive(SimpleObject)]
struct Parent {
    id: ID,
}

#[Object]
impl Transaction {
    async fn id(&self) -> ID {
        self.0.id().to_string().into()
    }

    async fn anchor(&self) -> String {
        self.0.anchor().map(|it| base64url(it)).unwrap_or_default()
    }

    async fn signature(&self) -> String {
        base64url(self.0.signature())
    }

    async fn recipient(&self) -> String {
        self.0.target().map(|it| base64url(it)).unwrap_or_default()
    }

    async fn owner(&self) -> Owner {
        Owner {
            address: self.0.owner_address().to_string(),
            key: base64url(self.0.owner()),
        }
    }

    async fn fee(&self) -> Amount {
        NOTHING
    }

    async fn quantity(&self) -> Amount {
        NOTHING
    }

    async fn data(&self) -> MetaData {
        MetaData {
            size: self.0.data().len().to_string(),
            r#type: self.0.tag("Content-Type").map(str::to_owned),
        }
    }

    async fn tags(&self) -> Vec<Tag> {
        let tag = |(name, value): (&str, &str)| Tag {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        self.0.tags().map(tag).collect()
    }

    async fn parent(&self) -> Option<Parent> {
        None
    }

    async fn bundled_in(&self) -> Option<Parent> {
        None
    }

    /// The block whose height the item's assignment names; nothing before it is assigned.
    async fn block(&self, context: &Context<'_>) -> Result<Option<Block>, Error> {
        let api = context.data::<Api>()?;
        let item = self.0.clone();
        let read = api.read(move |archive| assigned(archive, &item));
        let Some(assignment) = read.await.map_err(failed)? else {
            return Ok(None);
        };
        Block::at(
            api,
            Height(assignment.block_height),
            Some(assignment.timestamp),
        )
        .await
    }
}

/// The assignment of an item, or the item itself if it is one.
pub(super) fn assigned(archive: &Archive, item: &Item) -> Result<Option<Assignment>, Problem> {
    if let Ok(own) = Assignment::from_item(item) {
        return Ok(Some(own));
    }
    let process = match item.tag("Type") {
        Some("Process") => Some(ProcessId::from(item.id())),
        _ => item.target().map(|it| ProcessId::new(*it)),
    };
    let Some(process) = process else {
        return Ok(None);
    };
    match archive.slot_of(&process, &item.id())? {
        Some(slot) => Ok(archive.assignment(&process, slot)?),
        None => Ok(None),
    }
}

/// What went wrong, for who asked.
pub(super) fn failed(problem: Problem) -> Error {
    Error::new(problem.detail)
}
