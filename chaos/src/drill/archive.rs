//! A backup as files in memory, in and out of tar; and damage to it that every engine can do.

use std::collections::BTreeMap;
use std::io::Read;

/// The files of a backup, by path inside of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Archive {
    /// Path to content.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// Reads a tar.
    ///
    /// # Errors
    /// When it is not one, or ends too early.
    pub fn unpack(bytes: &[u8]) -> std::io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(bytes).entries()? {
            let mut entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(path, content);
        }
        Ok(Archive { files })
    }

    /// Writes a tar, readable by any user of the container.
    ///
    /// # Errors
    /// When a path cannot stand in a tar.
    pub fn pack(&self) -> std::io::Result<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, content.as_slice())?;
        }
        builder.into_inner()
    }

    /// Bytes of all files.
    pub fn size(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }

    /// The largest file whose path satisfies a condition: the one with the most to lose.
    pub fn largest(&self, wanted: impl Fn(&str) -> bool) -> Option<(&str, &[u8])> {
        let of_kind = self.files.iter().filter(|(path, content)| wanted(path) && !content.is_empty());
        of_kind.max_by_key(|(_, content)| content.len()).map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// The same with one file's content exchanged.
    pub fn with(&self, path: &str, content: Vec<u8>) -> Self {
        let mut other = self.clone();
        other.files.insert(path.to_owned(), content);
        other
    }

    /// The same with the largest wanted file changed. None when there is none, or the change has nothing to change.
    pub fn changed(&self, wanted: impl Fn(&str) -> bool, change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Self> {
        let (path, content) = self.largest(wanted)?;
        Some(self.with(path, change(content)?))
    }

    /// The same with every file empty.
    pub fn emptied(&self) -> Self {
        Archive { files: self.files.keys().map(|path| (path.clone(), Vec::new())).collect() }
    }
}

/// Changes three bytes in the middle: what a worn disk does to a compressed file.
pub fn flip_in_the_middle(content: &[u8]) -> Option<Vec<u8>> {
    let at = content.len() / 2;
    let mut damaged = content.to_vec();
    damaged.get_mut(at..at + 3)?.iter_mut().for_each(|byte| *byte ^= 0x55);
    Some(damaged)
}

/// The first half: what a full disk or a cut connection leaves.
pub fn first_half(content: &[u8]) -> Option<Vec<u8>> {
    (content.len() > 1).then(|| content[..content.len() / 2].to_vec())
}

/// Another letter for a letter, another digit for a digit; None for anything else, which may have a meaning of its own.
pub fn other_character(byte: u8) -> Option<u8> {
    match byte {
        b'9' => Some(b'0'),
        b'0'..=b'8' => Some(byte + 1),
        b'z' | b'Z' => Some(byte - 25),
        b'a'..=b'y' | b'A'..=b'Y' => Some(byte + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let archive = Archive { files: [("db/orders.bson".to_owned(), vec![1, 2, 3]), ("db/orders.metadata.json".to_owned(), vec![b'{'])].into() };
        let tar = archive.pack().expect("pack");
        assert_eq!(Archive::unpack(&tar).expect("unpack"), archive);
        assert_eq!((archive.size(), archive.largest(|p| p.ends_with(".json"))), (4, Some(("db/orders.metadata.json", &b"{"[..]))));
        assert!(Archive::unpack(&tar[..700]).is_err(), "a cut tar is noticed");
    }

    #[test]
    fn damage_changes_one_file_and_no_other() {
        let archive = Archive { files: [("a".to_owned(), vec![0; 9]), ("b".to_owned(), vec![1; 4])].into() };
        let flipped = archive.changed(|_| true, flip_in_the_middle).expect("flipped");
        assert_ne!(flipped.files["a"], archive.files["a"]);
        assert_eq!((flipped.files["a"].len(), &flipped.files["b"]), (9, &archive.files["b"]));
        assert_eq!(archive.changed(|p| p == "b", first_half).expect("cut").files["b"], [1, 1]);
        assert_eq!(archive.changed(|p| p == "c", first_half), None);
        assert_eq!(archive.emptied().size(), 0);
        assert_eq!((flip_in_the_middle(&[]), first_half(&[1])), (None, None));
        assert_eq!(b"a9z0".iter().filter_map(|b| other_character(*b)).collect::<Vec<_>>(), b"b0a1");
        assert_eq!(other_character(b'\t'), None);
    }
}
