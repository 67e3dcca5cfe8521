//! Damage to a dump of mongodump: BSON documents, one after the other.

use mongodb::bson::{RawBsonRef, RawDocument};

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
