"""Variants to vectors: one protocol for all embedders, a module for each.

embedder              the protocol, and what an embedding is
options, open         the options of all embedders; the name of one to the embedder itself
efficientnet          the default, on this machine …
efficientnet_graph    … its network as an ONNX graph
onnx_graph            … written without the onnx package
weights               … its published weights, read without torch
clip                  CLIP by fastembed, an extra
two_towers/           models that drop in as folders
http_embedder         a service, by one of two protocols …
http_client           … its requests: key, token bucket, tries
openai, replicate     … the protocols
responses             … its responses as errors or vectors
data_url              pictures in requests
telemetry             none
float16               vectors and classes as the manifest keeps them
"""
