use proptest::prelude::*;

use super::*;

fn table() -> impl Strategy<Value = Table> {
    let entry =
        ("[a-z/é]{1,40}", any::<[u64; 4]>()).prop_map(|(name, [first, next, low, rewound])| {
            Entry {
                name: name.as_str().into(),
                extent: Extent {
                    first: Seq(first),
                    next: Seq(next),
                },
                low: Seq(low),
                rewound,
            }
        });
    let streams = prop::collection::btree_map(any::<u32>().prop_map(StreamId), entry, 0..20);
    let value = prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    let name = "[a-z/é]{1,40}".prop_map(|name| Arc::from(name.as_str()));
    let registers = prop::collection::btree_map(name, value, 0..20);
    (any::<u32>(), streams, registers).prop_map(|(next_id, streams, registers)| Table {
        next_id,
        streams,
        registers,
    })
}

proptest! {
    #[test]
    fn a_table_is_read_as_it_was_written(table in table()) {
        let bytes = table.encode();
        prop_assert_eq!(bytes.len(), table.bytes());
        prop_assert_eq!(Table::decode(&bytes), Some(table));
    }

    #[test]
    fn a_cut_table_is_none(table in table(), cut in any::<prop::sample::Index>()) {
        let bytes = table.encode();
        prop_assert_eq!(Table::decode(&bytes[..cut.index(bytes.len())]), None);
    }

    #[test]
    fn any_bytes_are_a_table_or_none(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Some(table) = Table::decode(&bytes) {
            prop_assert_eq!(table.encode().len(), bytes.len());
        }
    }
}
