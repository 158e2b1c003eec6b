//! A directory of compiled modules, so that a node that starts again need not compile.
//!
//! Compiling a large module takes ten seconds.
//!
//! # Rules
//!
//! - `[XE-6]` Compiled modules are kept in files: the BLAKE3 hash over key and artefact, then the artefact. The key is over
//!   the rewritten module, the engine's version and settings, and the processor's features. What was torn or has rotted is
//!   compiled again. Beyond a gibibyte for each worker those longest unused go. Whoever can write into a node's directory can run as
//!   the node what he likes, so the hash is no signature. Workers write there: what one has compiled the next one runs,
//!   confined like it (rule WK-1).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use surety_attest::engine::Artefacts;
use surety_protocol::id::Digest;
use tracing::warn;

/// Bytes of all files; one module of AOS has 6 MB.
const BYTES_MAX: u64 = 1 << 30;
/// Bytes of the hash at the start of a file.
const HASH_BYTES: usize = 32;
/// What the name of a file ends in that is being written.
const UNFINISHED: &str = "new";

/// Compiled modules in a directory, of which those longest unused go.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    bytes_max: u64,
}

impl Directory {
    /// The directory, made if it is missing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(path: PathBuf) -> io::Result<Directory> {
        fs::create_dir_all(&path)?;
        Ok(Directory {
            path,
            bytes_max: BYTES_MAX,
        })
    }

    fn file(&self, key: &Digest) -> PathBuf {
        self.path.join(key.to_string())
    }

    fn read(&self, key: &Digest) -> io::Result<Vec<u8>> {
        let file = File::open(self.file(key))?;
        let (mut hash, mut artefact) = ([0; HASH_BYTES], Vec::new());
        (&file).read_exact(&mut hash)?;
        (&file).take(self.bytes_max).read_to_end(&mut artefact)?;
        if hash != hash_of(key, &artefact) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        file.set_modified(SystemTime::now())?;
        Ok(artefact)
    }

    fn write(&self, key: &Digest, artefact: &[u8]) -> io::Result<()> {
        let bytes = artefact.len().saturating_add(HASH_BYTES);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if bytes > self.bytes_max {
            return Ok(());
        }
        self.make_room(bytes)?;
        let unfinished = self.file(key).with_extension(UNFINISHED);
        let mut file = File::create(&unfinished)?;
        file.write_all(&hash_of(key, artefact))?;
        file.write_all(artefact)?;
        fs::rename(&unfinished, self.file(key))
    }

    /// Removes what was used longest ago until so many bytes have room.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let about = entry.metadata()?;
            files.push((about.modified()?, about.len(), entry.path()));
        }
        files.sort();
        let mut all: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, path) in files {
            if all.saturating_add(bytes) <= self.bytes_max {
                break;
            }
            fs::remove_file(path)?;
            all = all.saturating_sub(size);
        }
        Ok(())
    }
}

impl Artefacts for Directory {
    fn load(&self, key: &Digest) -> Option<Vec<u8>> {
        match self.read(key) {
            Ok(artefact) => Some(artefact),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    warn!(%key, %error, "a compiled module cannot be read and is compiled again");
                }
                None
            }
        }
    }

    fn keep(&self, key: &Digest, artefact: &[u8]) {
        if let Err(error) = self.write(key, artefact) {
            warn!(%key, %error, "a compiled module cannot be kept");
        }
    }
}

fn hash_of(key: &Digest, artefact: &[u8]) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes()).update(artefact);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artefact(byte: u8) -> (Digest, Vec<u8>) {
        (Digest::new([byte; 32]), vec![byte; 100])
    }

    #[test]
    fn what_was_kept_comes_back_and_what_is_harmed_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path().join("artefacts")).unwrap();
        let (key, kept) = artefact(1);
        assert_eq!(directory.load(&key), None);
        directory.keep(&key, &kept);
        let again = Directory::open(dir.path().join("artefacts")).unwrap();
        assert_eq!(again.load(&key), Some(kept));
        let file = directory.file(&key);
        let bytes = fs::read(&file).unwrap();
        for place in [0, 31, 32, bytes.len() - 1] {
            let mut harmed = bytes.clone();
            harmed[place] ^= 1;
            fs::write(&file, harmed).unwrap();
            assert_eq!(directory.load(&key), None, "byte {place}");
        }
        for length in [0, 31, 32, bytes.len() - 1] {
            fs::write(&file, &bytes[..length]).unwrap();
            assert_eq!(directory.load(&key), None, "{length} bytes");
        }
        // Under another key it is another module's.
        let (other, _) = artefact(2);
        fs::write(directory.file(&other), &bytes).unwrap();
        assert_eq!(directory.load(&other), None);
    }

    #[test]
    fn the_longest_unused_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut directory = Directory::open(dir.path().to_owned()).unwrap();
        directory.bytes_max = 3 * 132;
        let aged = |byte: u8, seconds: u64| {
            let file = File::open(directory.file(&artefact(byte).0)).unwrap();
            let then = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(then).unwrap();
        };
        for byte in 1..=3 {
            directory.keep(&artefact(byte).0, &artefact(byte).1);
            aged(byte, byte.into());
        }
        // Used again, the first is not the oldest any more.
        assert!(directory.load(&artefact(1).0).is_some());
        directory.keep(&artefact(4).0, &artefact(4).1);
        let left: Vec<u8> = (1..=4)
            .filter(|byte| directory.load(&artefact(*byte).0).is_some())
            .collect();
        assert_eq!(left, [1, 3, 4]);
        // What does not fit at all is not kept, and costs nobody its place.
        directory.keep(&artefact(5).0, &[5; 1000]);
        assert!(directory.load(&artefact(4).0).is_some());
    }
}
