//! Vectors in a directory that `SURETY_VECTORS` names, and proof that each of them was read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

/// One folder of vectors with an `index.json`.
pub(crate) struct Vectors {
    folder: PathBuf,
    unread: BTreeSet<String>,
}

impl Vectors {
    /// The folder with this name, or `None`, with a word about it, if the variable is not set.
    pub(crate) fn open(name: &str) -> Option<Vectors> {
        let folder = super::needed::path("SURETY_VECTORS")?.join(name);
        let unread = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        Some(Vectors { folder, unread })
    }

    /// The index.
    pub(crate) fn index(&mut self) -> Value {
        serde_json::from_slice(&self.read("index.json")).unwrap()
    }

    /// One file.
    pub(crate) fn read(&mut self, file: &str) -> Vec<u8> {
        assert!(
            self.unread.remove(file),
            "{file} is missing, or was read before"
        );
        std::fs::read(self.folder.join(file)).unwrap()
    }

    /// Fails if a file was not read.
    pub(crate) fn finish(self) {
        assert!(
            self.unread.is_empty(),
            "vectors that nothing reads: {:?}",
            self.unread
        );
    }
}

/// The text of a field; absent and null are the empty text.
pub(crate) fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_default()
}
