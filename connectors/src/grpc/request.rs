//! The message `hermod.source.grpc.v1.PublishRequest`, as far as a source reads it.
//!
//! Connectors know nothing but the SDK, so it stands here again; a test holds it against the `.proto` file.

use std::collections::BTreeMap;

use bytes::Bytes;

/// One message that is pushed. The bytes are parts of the request, not copies. The path has done its work.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Publish {
    #[prost(string, tag = "2")]
    pub(super) id: String,
    #[prost(string, tag = "3")]
    pub(super) operation: String,
    #[prost(string, tag = "4")]
    pub(super) table: String,
    #[prost(string, tag = "5")]
    pub(super) schema: String,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) before: Bytes,
    #[prost(bytes = "bytes", tag = "7")]
    pub(super) after: Bytes,
    #[prost(bytes = "bytes", tag = "8")]
    pub(super) payload: Bytes,
    // Ordered, so that the same request is the same message.
    #[prost(btree_map = "string, string", tag = "9")]
    pub(super) metadata: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the fields above are in the words of the file.
    const FIELDS: [(&str, i32, &str); 9] = [
        ("path", 1, "string"),
        ("id", 2, "string"),
        ("operation", 3, "string"),
        ("table", 4, "string"),
        ("schema", 5, "string"),
        ("before", 6, "bytes"),
        ("after", 7, "bytes"),
        ("payload", 8, "bytes"),
        ("metadata", 9, "map"),
    ];

    #[test]
    fn the_fields_are_those_of_the_file() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
        let set = protox::compile(["hermod/source/grpc/v1/source.proto"], [root]).unwrap();
        let message = set.file[0]
            .message_type
            .iter()
            .find(|message| message.name() == "PublishRequest")
            .unwrap();
        let fields: Vec<_> = message
            .field
            .iter()
            .map(|field| {
                let kind = match field.r#type().as_str_name() {
                    "TYPE_STRING" => "string",
                    "TYPE_BYTES" => "bytes",
                    _ => "map",
                };
                (field.name(), field.number(), kind)
            })
            .collect();
        assert_eq!(fields, FIELDS);
    }

    #[test]
    fn every_field_is_read_from_its_number() {
        use prost::Message as _;

        let mut wire = Vec::new();
        for (name, number, kind) in FIELDS {
            let value = match kind {
                "map" => [&[0x0a, 1, b'k', 0x12, 1, b'v'][..]].concat(),
                _ => name.as_bytes().to_vec(),
            };
            wire.push((number as u8) << 3 | 2);
            wire.push(value.len() as u8);
            wire.extend(value);
        }
        let read = Publish::decode(wire.as_slice()).unwrap();
        let expected = Publish {
            id: "id".to_owned(),
            operation: "operation".to_owned(),
            table: "table".to_owned(),
            schema: "schema".to_owned(),
            before: Bytes::from_static(b"before"),
            after: Bytes::from_static(b"after"),
            payload: Bytes::from_static(b"payload"),
            metadata: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        };
        assert_eq!(read, expected);
    }
}
