// Tests of the suite that no correct cache can pass as they are published, beside themselves as they should be.
//
// They count apart: the published suite is what everybody is compared by, and these say whether a cache that
// fails one of them fails at what it is about. Each names what is wrong with it. Those of `serving stale` are
// mended here as the suite's author has mended them since.
const stale = directive => ({
  mends: `stale-close-${directive}`,
  wrong: "the origin closes its connection, and the test wants an answer that has this origin's fields",
  requests: [
    { response_headers: [['Cache-Control', `max-age=2, ${directive}`]], setup: true, pause_after: true },
    { disconnect: true, expected_status: ERROR, check_body: false, expected_response_headers_missing: ['server-request-count'] }
  ],
  depends_on: ['stale-close']
})

/** Stands for whatever status from 500 on a cache answers with by itself: see suite.mjs. */
export const ERROR = 504

const part = (name, asked, text) => ({
  mends: `partial-store-partial-reuse-partial-${name}`,
  wrong: 'the 206 has five octets and says "bytes 4-9/10", which are six',
  requests: [
    {
      request_headers: [['Range', 'bytes=-5']],
      response_status: [206, 'Partial Content'],
      response_headers: [['Cache-Control', 'max-age=3600'], ['Content-Range', 'bytes 5-9/10']],
      response_body: '56789',
      setup: true
    },
    { request_headers: [['Range', asked]], expected_type: 'cached', expected_status: 206, expected_response_text: text }
  ]
})

const all = [
  stale('must-revalidate'), stale('proxy-revalidate'), stale('no-cache'), stale('s-maxage=2'),
  {
    mends: 'headers-store-Transfer-Encoding',
    wrong: 'the origin sends a transfer coding that does not exist: nobody can tell what the octets mean',
    requests: [
      { response_headers: [['Date', 0], ['Transfer-Encoding', 'chunked', false], ['Cache-Control', 'max-age=3600']], setup: true, pause_after: true },
      // A cache may well frame what it sends in chunks: that they are its own shows in the body, which comes once and whole.
      { expected_type: 'cached', setup_tests: ['expected_type'] }
    ]
  },
  part('byterange', 'bytes=6-8', '678'), part('absent', 'bytes=6-', '6789'), part('suffix', 'bytes=-1', '9'),
  {
    mends: 'partial-store-partial-complete',
    wrong: 'the 206 is not what was asked for, and has no validator, without which parts must not be combined (RFC 9111 section 3.4)',
    requests: [
      {
        request_headers: [['Range', 'bytes=0-4']],
        response_status: [206, 'Partial Content'],
        response_headers: [['Cache-Control', 'max-age=3600'], ['Content-Range', 'bytes 0-4/10'], ['ETag', '"abcdef"']],
        response_body: '01234',
        setup: true
      },
      {
        expected_request_headers: [['range', 'bytes=5-']],
        response_status: [206, 'Partial Content'],
        response_headers: [['Cache-Control', 'max-age=3600'], ['Content-Range', 'bytes 5-9/10', false], ['ETag', '"abcdef"']],
        response_body: '56789',
        expected_status: 200,
        expected_response_text: '0123456789'
      }
    ]
  }
]

const id = published => `${published}-mended`

/** The mended tests by the ids of those that they mend. */
export const mended = new Map(all.map(test => [test.mends, { ...test, id: id(test.mends), kind: 'mended' }]))
