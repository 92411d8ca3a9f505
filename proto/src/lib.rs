//! The services of Hermod: between nodes, and for clients that push over gRPC.
//!
//! The modules are made from the `.proto` files of this package, and named after their packages. The features `client`
//! and `server` add the two ends; neither opens a connection or listens: that is for who uses them.

/// Descriptors of every service and message here, encoded.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Between nodes.
pub mod cluster {
    /// Version 1. The comments are those of `hermod/cluster/v1/cluster.proto`.
    #[allow(clippy::pedantic, reason = "made from the `.proto` file")]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/hermod.cluster.v1.rs"));
    }
}

/// Sources that take messages.
pub mod source {
    /// The push source that speaks gRPC.
    pub mod grpc {
        /// Version 1. The comments are those of `hermod/source/grpc/v1/source.proto`.
        #[allow(clippy::pedantic, reason = "made from the `.proto` file")]
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/hermod.source.grpc.v1.rs"));

            /// Descriptors of this package alone, encoded, for gRPC reflection: what is between nodes is no interface for
            /// clients.
            pub const DESCRIPTOR_SET: &[u8] =
                include_bytes!(concat!(env!("OUT_DIR"), "/source_descriptors.bin"));
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::cluster::v1::{CallReply, CallRequest, call_reply::Answer};
    use super::*;

    #[test]
    fn the_descriptors_name_every_service() {
        let set = descriptors();
        for service in [
            "hermod.cluster.v1",
            "hermod.source.grpc.v1",
            "SourceService",
            "Publish",
        ] {
            assert!(set.contains(service), "`{service}` is not in {set:?}");
        }
    }

    #[test]
    fn clients_are_told_of_nothing_between_nodes() {
        let set = String::from_utf8_lossy(super::source::grpc::v1::DESCRIPTOR_SET);
        assert!(set.contains("hermod.source.grpc.v1") && set.contains("Publish"));
        assert!(!set.contains("cluster"), "{set:?}");
    }

    fn descriptors() -> String {
        String::from_utf8_lossy(FILE_DESCRIPTOR_SET).into_owned()
    }

    /// Nodes of two versions talk to each other: the bytes stay.
    #[test]
    fn the_form_of_a_call_on_the_wire_stays() {
        let request = CallRequest {
            cluster: 1,
            from: 2,
            to: 3,
            topic: 5,
            body: b"hi".as_slice().into(),
            timeout_ms: 150,
        };
        let expected = [
            [0x09, 1, 0, 0, 0, 0, 0, 0, 0].as_slice(),
            &[0x11, 2, 0, 0, 0, 0, 0, 0, 0],
            &[0x19, 3, 0, 0, 0, 0, 0, 0, 0],
            &[0x20, 5, 0x2a, 2, b'h', b'i', 0x30, 0x96, 1],
        ]
        .concat();
        assert_eq!(request.encode_to_vec(), expected);
        assert_eq!(CallRequest::decode(expected.as_slice()), Ok(request));

        let refusal = CallReply {
            answer: Some(Answer::Refusal("no".to_owned())),
        };
        assert_eq!(refusal.encode_to_vec(), [0x12, 2, b'n', b'o']);
        let empty = CallReply {
            answer: Some(Answer::Body(bytes::Bytes::new())),
        };
        assert_eq!(
            CallReply::decode(empty.encode_to_vec().as_slice()),
            Ok(empty)
        );
    }
}
