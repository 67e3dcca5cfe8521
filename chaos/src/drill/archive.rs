//! A backup as files in memory, in and out of tar; and the damage that a drill must notice.

use mongodb::bson::{RawBsonRef, RawDocument};
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

    /// The largest file with this extension: the one with the most to lose.
    pub fn largest(&self, extension: &str) -> Option<&str> {
        let of_kind = self.files.iter().filter(|(path, _)| path.ends_with(extension));
        of_kind.max_by_key(|(_, content)| content.len()).map(|(path, _)| path.as_str())
    }

    /// The same with one file's content exchanged.
    pub fn with(&self, path: &str, content: Vec<u8>) -> Self {
        let mut other = self.clone();
        other.files.insert(path.to_owned(), content);
        other
    }
}

/// Changes bits inside a document of a BSON dump, in a text that is not its `_id`: the structure stays readable, so that
/// only a look at the content can notice. None when no document has such a text.
pub fn flip_inside_a_document(dump: &[u8]) -> Option<Vec<u8>> {
    let mut start = 0;
    while let Some(length) = dump.get(start..start + 4) {
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let document = RawDocument::from_bytes(dump.get(start..start + length)?).ok()?;
        if let Some(at) = text_to_flip(document) {
            let mut damaged = dump.to_vec();
            // 'a' becomes '`', '1' becomes '0': still one ASCII character.
            for byte in damaged[start + at.0..start + at.1].iter_mut().take(8) {
                *byte ^= 1;
            }
            return Some(damaged);
        }
        start += length;
    }
    None
}

/// Where in a document an ASCII text of its own stands, as byte offsets.
fn text_to_flip(document: &RawDocument) -> Option<(usize, usize)> {
    let base = document.as_bytes().as_ptr() as usize;
    for element in document.iter() {
        let (key, value) = element.ok()?;
        let RawBsonRef::String(text) = value else { continue };
        if key.as_str() != "_id" && !text.is_empty() && text.is_ascii() {
            let at = text.as_ptr() as usize - base;
            return Some((at, at + text.len()));
        }
    }
    None
}

/// Cuts a dump inside of its last document. None when it holds none.
pub fn truncate(dump: &[u8]) -> Option<Vec<u8>> {
    // A document is at least five bytes; three are always inside of the last one.
    (dump.len() > 8).then(|| dump[..dump.len() - 3].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::{Document, doc};

    fn dump(documents: &[Document]) -> Vec<u8> {
        documents.iter().flat_map(|d| d.to_vec().expect("bson")).collect()
    }

    fn read(mut bytes: &[u8]) -> Result<Vec<Document>, mongodb::bson::error::Error> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            all.push(Document::from_reader(&mut bytes)?);
        }
        Ok(all)
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let archive = Archive { files: [("db/orders.bson".to_owned(), vec![1, 2, 3]), ("db/orders.metadata.json".to_owned(), vec![b'{'])].into() };
        let tar = archive.pack().expect("pack");
        assert_eq!(Archive::unpack(&tar).expect("unpack"), archive);
        assert_eq!((archive.size(), archive.largest(".bson")), (4, Some("db/orders.bson")));
        assert!(Archive::unpack(&tar[..700]).is_err(), "a cut tar is noticed");
    }

    #[test]
    fn a_flip_leaves_readable_documents_that_differ_in_one_text() {
        let documents = [doc! { "_id": "k-0", "n": 1 }, doc! { "_id": "k-1", "name": "abcdefghij" }];
        let damaged = read(&flip_inside_a_document(&dump(&documents)).expect("flipped")).expect("readable");
        assert_eq!(damaged[0], documents[0]);
        assert_eq!(damaged[1], doc! { "_id": "k-1", "name": "`cbedgfiij" });
        assert_eq!(flip_inside_a_document(&dump(&documents[..1])), None);
    }

    #[test]
    fn a_cut_dump_is_not_readable() {
        let documents = [doc! { "_id": "k-1", "name": "a" }];
        assert!(read(&truncate(&dump(&documents)).expect("cut")).is_err());
        assert_eq!(truncate(&[]), None);
    }
}
