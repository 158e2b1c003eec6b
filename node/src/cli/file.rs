//! Files that verbs read and write (rule CM-3).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::shell::{CliError, Exit};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The system refused.
    #[error("cannot read {name}: {error}")]
    Io {
        /// The file.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// It is longer than anything it could hold.
    #[error("{name} has more than {limit} bytes")]
    TooLarge {
        /// The file.
        name: String,
        /// The most bytes it may have.
        limit: usize,
    },
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> CliError {
        let (code, help) = match &error {
            FileError::Io { .. } => (
                "file",
                "check the path and its permissions; `-` reads standard input",
            ),
            FileError::TooLarge { .. } => ("file-too-large", "this is not the file that was meant"),
        };
        CliError::new(Exit::Failure, code, error.to_string()).with_help(help)
    }
}

/// Reads at most `limit` bytes of a file; `-` is standard input.
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let stdin = path == Path::new("-");
    let name = if stdin {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = match stdin {
        true => io::stdin().lock().take(most).read_to_end(&mut bytes),
        false => File::open(path).and_then(|it| it.take(most).read_to_end(&mut bytes)),
    };
    match read {
        Err(error) => Err(FileError::Io { name, error }),
        Ok(_) if bytes.len() > limit => Err(FileError::TooLarge { name, limit }),
        Ok(_) => Ok(bytes),
    }
}

/// Writes a file that everybody may read; whoever looks sees the old file or the whole new one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = parent.join(format!(".{}.tmp", uuid::Uuid::new_v4()));
    let written = File::create_new(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    written.map_err(|error| {
        // It may never have been made.
        let _ = fs::remove_file(&temporary);
        let message = format!("cannot write {}: {error}", path.display());
        CliError::new(Exit::Failure, "file", message)
            .with_help("check the path, its permissions and the free space")
    })
}
