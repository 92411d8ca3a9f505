//! Messages as they came: their source reads them, here or on another node.

use bytes::{Buf, Bytes};
use hermod_proto::source::grpc::v1::PublishResponse;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

/// Takes bytes and answers with a message.
pub(super) struct Raw;

/// Takes a message's bytes out of the buffer, without a copy.
pub(super) struct RawDecoder;

impl Codec for Raw {
    type Encode = PublishResponse;
    type Decode = Bytes;
    type Encoder = ProstEncoder<PublishResponse>;
    type Decoder = RawDecoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        RawDecoder
    }
}

impl Decoder for RawDecoder {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
