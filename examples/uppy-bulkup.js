// Functions for the plugin @uppy/aws-s3 of Uppy 4 and 5 (that of Uppy 6 signs S3 requests only), so
// that it uploads through `bulkup serve`:
//
//   uppy.use(AwsS3, bulkup("", token));        // a page of the server's own origin
//
// Each file needs its SHA-256 in file.meta.sha256 before the upload begins.
export function bulkup(server, token) {
  const call = async (method, path, body) => {
    const response = await fetch(`${server}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) {
      const error = new Error((await response.json()).detail);
      throw Object.assign(error, { source: { status: response.status } });
    }
    return response.status === 204 ? {} : response.json();
  };
  const PART_BYTES = 16 * 1024 * 1024;
  return {
    shouldUseMultipart: true,
    getChunkSize: () => PART_BYTES,
    createMultipartUpload: async (file) => {
      const upload = await call("POST", "/uploads", {
        name: file.name,
        path: file.meta.relativePath ?? file.name,
        size_bytes: file.size,
        sha256: file.meta.sha256,
        media_type: file.type,
        part_bytes: PART_BYTES,
      });
      if (upload.duplicate) throw new Error("the server has this file");
      return { uploadId: upload.upload_id, key: upload.key };
    },
    signPart: (file, { uploadId, partNumber }) =>
      call("POST", `/uploads/${uploadId}/parts/${partNumber}`),
    listParts: async (file, { uploadId }) =>
      (await call("GET", `/uploads/${uploadId}/parts`)).parts.map((part) => ({
        PartNumber: part.number,
        Size: part.size_bytes,
        ETag: part.etag,
      })),
    completeMultipartUpload: async (file, { uploadId, parts }) => {
      const done = await call("POST", `/uploads/${uploadId}/complete`, { parts });
      return { location: done.key };
    },
    abortMultipartUpload: (file, { uploadId }) => call("DELETE", `/uploads/${uploadId}`),
  };
}
