-- What nginx does with a request in front of, or instead of, an S3 server: names it, lets it fail
-- on demand, counts it, and (the sink) drops its body. Loaded through front.conf.in.
local ffi = require "ffi"

local M = {}
local counts, keys = ngx.shared.counts, ngx.shared.keys
local options = {}
local CHUNK = 65536
local XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
local NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
local NO_ETAG = "d41d8cd98f00b204e9800998ecf8427e" -- for a body whose MD5 nobody asked for

ffi.cdef [[
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_md_st EVP_MD;
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
const EVP_MD *EVP_md5(void);
int EVP_DigestInit_ex(EVP_MD_CTX *ctx, const EVP_MD *type, void *engine);
int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t size);
int EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *digest, unsigned int *size);
]]

function M.configure(given) options = given end

function M.seed() math.randomseed(options.seed or (ngx.now() * 1000 + ngx.worker.pid())) end

-- What a request is ----------------------------------------------------------

local function operation()
  local method, uri, args = ngx.req.get_method(), ngx.var.uri, "&" .. (ngx.var.args or "") .. "&"
  local in_bucket = uri:find("^/[^/]+/.") ~= nil
  local copied = ngx.var.http_x_amz_copy_source
  local function asks(name) return args:find("&" .. name .. "[=&]") ~= nil end
  if asks("uploadId") then
    if method == "PUT" then return copied and "UploadPartCopy" or "UploadPart" end
    if method == "POST" then return "CompleteMultipartUpload" end
    return method == "DELETE" and "AbortMultipartUpload" or "ListParts"
  elseif in_bucket then
    if method == "PUT" then
      if asks("acl") or asks("tagging") or asks("retention") then return "PutObjectOther" end
      return copied and "CopyObject" or "PutObject"
    end
    if method == "POST" then return asks("uploads") and "CreateMultipartUpload" or "Other" end
    return ({ GET = "GetObject", HEAD = "HeadObject", DELETE = "DeleteObject" })[method] or "Other"
  elseif method == "GET" then
    if uri == "/" then return "ListBuckets" end
    if asks("location") then return "GetBucketLocation" end
    if asks("uploads") then return "ListMultipartUploads" end
    if asks("versioning") then return "GetBucketVersioning" end
    return asks("list%-type") and "ListObjectsV2" or "ListObjects"
  elseif method == "POST" then return asks("delete") and "DeleteObjects" or "Other"
  end
  return ({ PUT = "CreateBucket", HEAD = "HeadBucket", DELETE = "DeleteBucket" })[method] or "Other"
end

-- Counting -------------------------------------------------------------------

local STORES = { PutObject = true, UploadPart = true }
local MAKES_OBJECT = { PutObject = true, CompleteMultipartUpload = true }

local function enter()
  local ctx, now = ngx.ctx, ngx.now()
  ctx.operation = operation()
  ctx.head_bytes = tonumber(ngx.var.request_length)
  counts:add("first", now)
  local flying = counts:incr("in_flight", 1, 0)
  if flying > (counts:get("most") or 0) then counts:set("most", flying) end
  if ngx.var.connection_requests == "1" then counts:incr("connections", 1, 0) end
end

function M.leave()
  local ctx, status = ngx.ctx, tonumber(ngx.var.status) or 0
  if not ctx.operation then -- nginx refused it by itself: a malformed request
    counts:incr("request:-:Malformed:" .. status, 1, 0)
    return
  end
  counts:incr("in_flight", -1, 0)
  counts:incr("request:" .. ngx.req.get_method() .. ":" .. ctx.operation .. ":" .. status, 1, 0)
  local body = tonumber(ngx.var.request_length) - ctx.head_bytes
  if body > 0 then counts:incr("body_bytes", body, 0) end
  if status < 300 then
    if MAKES_OBJECT[ctx.operation] then counts:incr("objects", 1, 0) end
    if STORES[ctx.operation] then
      local decoded = tonumber(ngx.var.http_x_amz_decoded_content_length)
      counts:incr("stored_bytes", decoded or tonumber(ngx.var.content_length) or body, 0)
    end
  end
  counts:set("last", ngx.now())
end

local function as_object(values, render)
  local names, rendered = {}, {}
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do rendered[i] = string.format("%q:%s", name, render(values[name])) end
  return "{" .. table.concat(rendered, ",") .. "}"
end

local function as_number(n) return string.format("%d", n) end
local function as_numbers(values) return as_object(values, as_number) end

function M.stats()
  local by_method, by_operation, requests = {}, {}, 0
  for _, name in ipairs(counts:get_keys(0)) do
    local method, op, status = name:match("^request:([^:]*):([^:]*):(.*)$")
    if method then
      local n = counts:get(name)
      requests = requests + n
      for index, kind in pairs({ [method] = by_method, [op] = by_operation }) do
        kind[index] = kind[index] or {}
        kind[index][status] = (kind[index][status] or 0) + n
      end
    end
  end
  local plain = { requests = requests }
  for _, name in ipairs({ "objects", "stored_bytes", "body_bytes", "in_flight", "connections" }) do
    plain[name] = counts:get(name) or 0
  end
  plain.most_in_flight = counts:get("most") or 0
  local span = (counts:get("last") or 0) - (counts:get("first") or 0)
  local cpu = os.clock() - (counts:get("cpu") or 0)
  ngx.header.content_type = "application/json"
  ngx.say(string.format(
    '{"by_status":%s,"by_op":%s,"counts":%s,"span_s":%.3f,"server_cpu_s":%.3f}',
    as_object(by_method, as_numbers), as_object(by_operation, as_numbers), as_numbers(plain),
    math.max(0, span), cpu))
end

function M.reset()
  local flying = counts:get("in_flight") or 0
  counts:flush_all()
  counts:flush_expired()
  keys:flush_all()
  counts:set("in_flight", flying)
  counts:set("most", flying)
  counts:set("cpu", os.clock())
  ngx.header.content_type = "application/json"
  ngx.say("{}")
end

-- Bodies ---------------------------------------------------------------------

local function hex(bytes)
  return (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

-- Reads a body of known length in pieces. Returns false when the client went away, else the MD5 if
-- it was asked for. limit: leave the rest unread after about that many bytes.
local function drain(length, limit, md5)
  local socket = ngx.req.socket()
  if not socket then return false end
  socket:settimeout(60000)
  local context
  if md5 then
    context = ffi.gc(ffi.C.EVP_MD_CTX_new(), ffi.C.EVP_MD_CTX_free)
    ffi.C.EVP_DigestInit_ex(context, ffi.C.EVP_md5(), nil)
  end
  local got, wanted = 0, math.min(limit or length, length)
  while got < wanted do
    local data = socket:receiveany(CHUNK)
    if not data then return false end
    got = got + #data
    if context then ffi.C.EVP_DigestUpdate(context, data, #data) end
  end
  if not context then return nil end
  local digest = ffi.new("unsigned char[16]")
  ffi.C.EVP_DigestFinal_ex(context, digest, nil)
  return hex(ffi.string(digest, 16))
end

-- Reads the body and forgets it. Returns as `drain` does.
local function drop(limit, md5)
  local length = tonumber(ngx.var.content_length)
  if not length then
    if ngx.var.http_transfer_encoding then ngx.req.read_body() end
    return nil
  elseif length > CHUNK or limit then return drain(length, limit, md5)
  elseif length > 0 then ngx.req.read_body() -- quicker than a socket of our own
  end
  return md5 and ngx.md5(length > 0 and ngx.req.get_body_data() or "") or nil
end

-- Faults ---------------------------------------------------------------------

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function send(status, body)
  ngx.status = status
  ngx.header["x-amz-request-id"] = ngx.var.connection .. "-" .. ngx.var.connection_requests
  ngx.header.content_length = #body
  if #body > 0 then
    ngx.header.content_type = "application/xml"
    if ngx.req.get_method() ~= "HEAD" then ngx.print(body) end
  end
  return ngx.exit(status < 300 and ngx.OK or status)
end

local function refuse(status, code, message)
  if options.early then ngx.header.connection = "close" else drop() end
  return send(status, XML .. "<Error><Code>" .. code .. "</Code><Message>" .. message ..
    "</Message><Resource>" .. escape(ngx.var.uri) .. "</Resource></Error>")
end

-- A leaky bucket: when the next request is due (the generic cell rate algorithm).
local function over_rate()
  local now, step = ngx.now(), 1 / options.rate
  local due = math.max(counts:get("due") or 0, now)
  if due - now > options.burst * step then return true end
  counts:set("due", due + step)
  return false
end

local function chance(percent) return percent and math.random() * 100 < percent end

local function faults()
  local age = ngx.now() - (counts:get("first") or ngx.now())
  local expired = options.expire_after and age - options.expire_after
  if expired and expired >= 0 and expired < options.expire_for then
    return refuse(403, "ExpiredToken", "The provided token has expired.")
  end
  if options.rate and over_rate() then
    if options.retry_after then ngx.header["Retry-After"] = tostring(options.retry_after) end
    return refuse(503, "SlowDown", "Please reduce your request rate.")
  end
  if chance(options.reset_percent) then
    local length = tonumber(ngx.var.content_length) or 0
    if length > 1 then drop(math.max(1, math.min(CHUNK, math.floor(length / 2)))) end
    return ngx.exit(444)
  end
  local is_signed_put = ngx.req.get_method() == "PUT" and ngx.var["arg_X-Amz-Signature"]
  if is_signed_put and chance(options.late_percent) then
    return refuse(403, "AccessDenied", "Request has expired")
  end
  if chance(options.fail_percent) then
    return refuse(500, "InternalError", "We encountered an internal error. Please try again.")
  end
end

local function linger()
  if options.latency then ngx.sleep(options.latency / 1000) end
end

-- The throttle: what passes goes on to the real server.
function M.throttle()
  enter()
  faults()
  linger()
end

-- The sink -------------------------------------------------------------------

-- What S3 answers: the MD5 of the parts' MD5s, and their number, from the client's own list.
local function multipart_etag()
  ngx.req.read_body()
  local body, file = ngx.req.get_body_data() or "", ngx.req.get_body_file()
  if file then
    local handle = assert(io.open(file, "rb"))
    body = handle:read("*a")
    handle:close()
  end
  local md5s = {}
  for tag in body:gmatch("<ETag>([^<]*)</ETag>") do
    local digits = tag:gsub("&quot;", ""):gsub("&#34;", ""):gsub('"', "")
    md5s[#md5s + 1] = digits:gsub("%x%x", function(h) return string.char(tonumber(h, 16)) end)
  end
  return ngx.md5(table.concat(md5s)) .. "-" .. #md5s
end

local function etag(md5)
  local given = ngx.var.http_content_md5 -- a client that sends its MD5 gets it back
  local raw = given and ngx.decode_base64(given)
  return md5 or (raw and #raw == 16 and hex(raw)) or NO_ETAG
end

local EMPTY = "<IsTruncated>false</IsTruncated><MaxKeys>1000</MaxKeys>"
local DOCUMENTS = {
  ListBuckets = { "ListAllMyBucketsResult", "<Owner><ID>test</ID></Owner><Buckets></Buckets>" },
  ListObjectsV2 = { "ListBucketResult", EMPTY .. "<KeyCount>0</KeyCount>" },
  ListObjects = { "ListBucketResult", EMPTY },
  ListMultipartUploads = { "ListMultipartUploadsResult", EMPTY },
  ListParts = { "ListPartsResult", EMPTY },
  GetBucketLocation = { "LocationConstraint", "" },
  GetBucketVersioning = { "VersioningConfiguration", "" },
  DeleteObjects = { "DeleteResult", "" },
  CopyObject = { "CopyObjectResult", "<ETag>&quot;" .. NO_ETAG .. "&quot;</ETag>" },
  UploadPartCopy = { "CopyPartResult", "<ETag>&quot;" .. NO_ETAG .. "&quot;</ETag>" },
}

local function document(root, inner)
  return send(200, XML .. "<" .. root .. NAMESPACE .. inner .. "</" .. root .. ">")
end

local function named() -- <Bucket> and <Key>, as the answers about uploads repeat them
  local bucket, key = ngx.var.uri:match("^/([^/]+)/(.*)$")
  return "<Bucket>" .. (bucket or "") .. "</Bucket><Key>" .. escape(key or "") .. "</Key>"
end

-- Whether a write with `If-None-Match: *` finds an object at its key.
local function is_taken()
  local is_conditional = ngx.var.http_if_none_match == "*"
  ngx.req.clear_header("If-None-Match") -- else nginx answers it: 304, since there is an ETag
  return not keys:add(ngx.var.uri, true) and is_conditional
end

function M.sink()
  enter()
  faults()
  local op = ngx.ctx.operation
  local joined = op == "CompleteMultipartUpload" and multipart_etag()
  local md5 = not joined and drop(nil, options.md5 and STORES[op])
  if md5 == false and not joined then return ngx.exit(444) end
  linger()
  if options.remember and op == "PutObject" and is_taken() then
    return send(412, XML .. "<Error><Code>PreconditionFailed</Code></Error>")
  end
  if STORES[op] then
    ngx.header["ETag"] = '"' .. etag(md5) .. '"'
    return send(200, "")
  elseif op == "HeadObject" then return send(404, "")
  elseif op == "GetObject" then
    return send(404, XML .. "<Error><Code>NoSuchKey</Code><Message>It was dropped.</Message></Error>")
  elseif op == "CreateMultipartUpload" then
    local upload_id = ngx.var.connection .. "-" .. ngx.var.connection_requests
    return document("InitiateMultipartUploadResult",
      named() .. "<UploadId>" .. upload_id .. "</UploadId>")
  elseif joined then
    return document("CompleteMultipartUploadResult",
      named() .. "<ETag>&quot;" .. joined .. "&quot;</ETag>")
  elseif DOCUMENTS[op] then return document(unpack(DOCUMENTS[op]))
  elseif ngx.req.get_method() == "DELETE" then return ngx.exit(204)
  end
  return send(200, "")
end

return M
