/* SHA-256 of several contents at the same time, on x86 processors with SHA instructions.

   A round waits for the one before it, so one content keeps those instructions busy half of the
   time at most. Up to four contents go side by side here, a block of each in turn; when one has
   ended the next takes its lane. The algorithm and its constants: FIPS 180-4; how the instructions
   divide the state: Intel, "Intel SHA Extensions" (2013).

   On other processors and compilers the import fails, and digest.py uses hashlib alone. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 4 /* a fifth gains nothing: the unit for the rounds is busy by then */
#define BLOCK 64
#define DIGEST 32
#define SHA_NI __attribute__((target("sha,sse4.1,ssse3")))

static const uint32_t ROUND[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

typedef struct {
    __m128i abef, cdgh;          /* the state, as the instructions want it */
    const uint8_t *next;         /* the next block */
    size_t blocks;               /* how many lie there one after the other */
    size_t last_blocks;          /* then so many in `last`: 0 while those are being hashed */
    uint8_t last[2 * BLOCK];     /* what is left of the content, and the padding */
    uint8_t *digest;             /* where it goes */
} Lane;

/* One block after the other of `count` lanes; inlined for each count, so that all is in registers
   as far as there are any. */
static inline __attribute__((always_inline)) SHA_NI void
hash_blocks(Lane **lanes, size_t blocks, const int count)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abef[LANES], cdgh[LANES], word[LANES][4];
    const uint8_t *next[LANES];

    for (int i = 0; i < count; i++) {
        abef[i] = lanes[i]->abef;
        cdgh[i] = lanes[i]->cdgh;
        next[i] = lanes[i]->next;
    }
    for (size_t block = 0; block < blocks; block++) {
        __m128i abef_before[LANES], cdgh_before[LANES];
#pragma GCC unroll 4
        for (int i = 0; i < count; i++) {
            abef_before[i] = abef[i];
            cdgh_before[i] = cdgh[i];
#pragma GCC unroll 4
            for (int w = 0; w < 4; w++)
                word[i][w] = _mm_shuffle_epi8(
                    _mm_loadu_si128((const __m128i *)(next[i] + 16 * w)), big_endian);
            next[i] += BLOCK;
        }
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++) { /* four rounds each */
            const __m128i constant = _mm_load_si128((const __m128i *)(ROUND + 4 * r));
#pragma GCC unroll 4
            for (int i = 0; i < count; i++) {
                __m128i *const first = &word[i][r & 3];
                const __m128i second = word[i][(r + 1) & 3];
                const __m128i third = word[i][(r + 2) & 3];
                const __m128i fourth = word[i][(r + 3) & 3];
                __m128i input = _mm_add_epi32(*first, constant);
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], input);
                input = _mm_shuffle_epi32(input, 0x0e);
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], input);
                if (r < 12) /* the words of the rounds after next */
                    *first = _mm_sha256msg2_epu32(
                        _mm_add_epi32(_mm_sha256msg1_epu32(*first, second),
                                      _mm_alignr_epi8(fourth, third, 4)),
                        fourth);
            }
        }
#pragma GCC unroll 4
        for (int i = 0; i < count; i++) {
            abef[i] = _mm_add_epi32(abef[i], abef_before[i]);
            cdgh[i] = _mm_add_epi32(cdgh[i], cdgh_before[i]);
        }
    }
    for (int i = 0; i < count; i++) {
        lanes[i]->abef = abef[i];
        lanes[i]->cdgh = cdgh[i];
        lanes[i]->next = next[i];
        lanes[i]->blocks -= blocks;
    }
}

static SHA_NI void hash_1(Lane **lanes, size_t blocks) { hash_blocks(lanes, blocks, 1); }
static SHA_NI void hash_2(Lane **lanes, size_t blocks) { hash_blocks(lanes, blocks, 2); }
static SHA_NI void hash_3(Lane **lanes, size_t blocks) { hash_blocks(lanes, blocks, 3); }
static SHA_NI void hash_4(Lane **lanes, size_t blocks) { hash_blocks(lanes, blocks, 4); }

static void (*const HASH[LANES + 1])(Lane **, size_t) = {NULL, hash_1, hash_2, hash_3, hash_4};

/* 32 bits, most significant byte first. */
static void
put(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Put a content into a lane: its whole blocks stay where they are, its end is padded. */
static SHA_NI void
begin(Lane *lane, const uint8_t *data, size_t size, uint8_t *digest)
{
    const size_t rest = size % BLOCK;
    const size_t last_size = rest + 1 + 8 <= BLOCK ? BLOCK : 2 * BLOCK;
    const uint64_t bits = (uint64_t)size * 8;

    lane->abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    lane->cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
    lane->next = data;
    lane->blocks = size / BLOCK;
    lane->last_blocks = last_size / BLOCK;
    lane->digest = digest;
    memset(lane->last, 0, sizeof lane->last);
    if (rest > 0)
        memcpy(lane->last, data + size - rest, rest);
    lane->last[rest] = 0x80;
    put(lane->last + last_size - 8, (uint32_t)(bits >> 32));
    put(lane->last + last_size - 4, (uint32_t)bits);
}

/* Whether the lane has more blocks; when not, its digest is written. */
static SHA_NI int
has_more(Lane *lane)
{
    uint32_t abef[4], cdgh[4];

    if (lane->blocks == 0 && lane->last_blocks > 0) {
        lane->next = lane->last;
        lane->blocks = lane->last_blocks;
        lane->last_blocks = 0;
    }
    if (lane->blocks > 0)
        return 1;
    _mm_storeu_si128((__m128i *)abef, lane->abef);
    _mm_storeu_si128((__m128i *)cdgh, lane->cdgh);
    for (int i = 0; i < 2; i++) { /* the first of the name lies last in memory */
        put(lane->digest + 4 * i, abef[3 - i]);
        put(lane->digest + 8 + 4 * i, cdgh[3 - i]);
        put(lane->digest + 16 + 4 * i, abef[1 - i]);
        put(lane->digest + 24 + 4 * i, cdgh[1 - i]);
    }
    return 0;
}

/* The digests of `count` contents, in the order of the contents. `order` says which goes first. */
static void
hash_all(const Py_buffer *contents, const size_t *order, size_t count, uint8_t *digests)
{
    Lane room[LANES];
    Lane *lanes[LANES];
    size_t taken = 0;
    int used = 0;

    for (int i = 0; i < LANES; i++)
        lanes[i] = &room[i];
    for (;;) {
        while (used < LANES && taken < count) {
            const size_t which = order[taken++];
            begin(lanes[used], contents[which].buf, (size_t)contents[which].len,
                  digests + DIGEST * which);
            has_more(lanes[used++]); /* a short content has its last blocks only */
        }
        if (used == 0)
            return;
        size_t blocks = lanes[0]->blocks;
        for (int i = 1; i < used; i++)
            if (lanes[i]->blocks < blocks)
                blocks = lanes[i]->blocks;
        HASH[used](lanes, blocks);
        for (int i = 0; i < used;) {
            if (has_more(lanes[i])) {
                i++;
                continue;
            }
            Lane *const ended = lanes[i]; /* free: behind those that are used */
            lanes[i] = lanes[--used];
            lanes[used] = ended;
        }
    }
}

/* The longest first: so the lanes end at about the same time. */
static int
by_length(const void *left, const void *right)
{
    const Py_ssize_t a = (*(const Py_buffer *const *)left)->len;
    const Py_ssize_t b = (*(const Py_buffer *const *)right)->len;
    return (a < b) - (a > b);
}

static int
make_order(const Py_buffer *contents, size_t *order, size_t count)
{
    const Py_buffer **sorted = PyMem_New(const Py_buffer *, count);
    if (sorted == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        sorted[i] = contents + i;
    qsort(sorted, count, sizeof *sorted, by_length);
    for (size_t i = 0; i < count; i++)
        order[i] = (size_t)(sorted[i] - contents);
    PyMem_Free(sorted);
    return 0;
}

static PyObject *
hex(const uint8_t *digest)
{
    static const char DIGITS[] = "0123456789abcdef";
    char text[2 * DIGEST];
    for (int i = 0; i < DIGEST; i++) {
        text[2 * i] = DIGITS[digest[i] >> 4];
        text[2 * i + 1] = DIGITS[digest[i] & 15];
    }
    return PyUnicode_FromStringAndSize(text, sizeof text);
}

static PyObject *
hexdigests(PyObject *module, PyObject *argument)
{
    PyObject *result = NULL;
    Py_buffer *contents = NULL;
    size_t *order = NULL;
    uint8_t *digests = NULL;
    size_t held = 0;
    (void)module;

    PyObject *const given = PySequence_Tuple(argument); /* nobody else can change it */
    if (given == NULL)
        return NULL;
    const size_t count = (size_t)PyTuple_GET_SIZE(given);
    contents = PyMem_New(Py_buffer, count);
    order = PyMem_New(size_t, count);
    digests = PyMem_New(uint8_t, DIGEST * count);
    if (contents == NULL || order == NULL || digests == NULL) {
        PyErr_NoMemory();
        goto end;
    }
    for (; held < count; held++)
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(given, held), contents + held, PyBUF_SIMPLE) < 0)
            goto end;
    if (make_order(contents, order, count) < 0) {
        PyErr_NoMemory();
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    hash_all(contents, order, count, digests);
    Py_END_ALLOW_THREADS
    result = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; result != NULL && i < count; i++) {
        PyObject *const text = hex(digests + DIGEST * i);
        if (text == NULL)
            Py_CLEAR(result);
        else
            PyList_SET_ITEM(result, (Py_ssize_t)i, text);
    }
end:
    while (held > 0)
        PyBuffer_Release(contents + --held);
    PyMem_Free(contents);
    PyMem_Free(order);
    PyMem_Free(digests);
    Py_DECREF(given);
    return result;
}

/* SHA, SSSE3 and SSE4.1: CPUID leaves 7 and 1 (Intel SDM, volume 2). */
static int
has_instructions(void)
{
    unsigned int a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & (1u << 29)))
        return 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 9)) && (c & (1u << 19));
}

static int
check(PyObject *module)
{
    (void)module;
    if (has_instructions())
        return 0;
    PyErr_SetString(PyExc_ImportError, "this processor has no SHA instructions");
    return -1;
}

static PyMethodDef METHODS[] = {
    {"hexdigests", hexdigests, METH_O,
     "The SHA-256 of each content in hexadecimal, in order; other threads run meanwhile."},
    {NULL, NULL, 0, NULL},
};

#else

static int
check(PyObject *module)
{
    (void)module;
    PyErr_SetString(PyExc_ImportError, "made for other processors");
    return -1;
}

static PyMethodDef METHODS[] = {{NULL, NULL, 0, NULL}};

#endif

static PyModuleDef_Slot SLOTS[] = {
    {Py_mod_exec, check},
    {0, NULL},
};

static struct PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "bulkup.content._sha256_lanes",
    .m_doc = "SHA-256 of several contents at the same time.",
    .m_methods = METHODS,
    .m_slots = SLOTS,
};

PyMODINIT_FUNC
PyInit__sha256_lanes(void)
{
    return PyModuleDef_Init(&MODULE);
}
