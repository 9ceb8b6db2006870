/* c_api_test MODEL BATCHES SIGNED: the C interface on the demo's model (int8 [1,16,16,1] to int8
 * [1,10]), and on one whose batch is a dimension of 1 to 4 (uint8 [1,8,8,3]), and on the same
 * signed by the tests' key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whit/whit_c.h>

static int failures = 0;

#define EXPECT(condition)                                              \
  do {                                                                 \
    if (!(condition)) {                                                \
      printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                      \
    }                                                                  \
  } while (0)

static void Fill(const whit_tensor* in) {
  size_t i;
  for (i = 0; i < in->size; ++i) ((signed char*)in->data)[i] = (signed char)(i % 255 - 127);
}

static void TestRun(whit_model* model) {
  whit_runner *runner = NULL, *plain = NULL;
  whit_runner_options options;
  whit_tensor in, out, in2, out2;
  whit_error error;
  EXPECT(whit_runner_create(model, NULL, &runner, &error) == WHIT_OK);
  EXPECT(whit_runner_input_count(runner) == 1 && whit_runner_output_count(runner) == 1);
  EXPECT(whit_runner_input(runner, 0, &in) == WHIT_OK);
  EXPECT(whit_runner_input(runner, 1, &in2) == WHIT_INVALID_ARGUMENT);
  EXPECT(whit_runner_output(runner, 1, &out) == WHIT_INVALID_ARGUMENT);
  EXPECT(strcmp(in.name, "image") == 0 && in.type == WHIT_INT8 && in.rank == 4 && in.size == 256);
  EXPECT(in.shape[1] == 16 && in.shape[2] == 16 && in.zero_point == -128 && in.scale > 0);
  EXPECT(whit_runner_peak_arena_bytes(runner) > 0);

  whit_runner_options_init(&options);
  options.plain = 1;
  options.threads = 2;
  options.isa = "scalar";
  EXPECT(whit_runner_create(model, &options, &plain, &error) == WHIT_OK);
  EXPECT(whit_runner_input(plain, 0, &in2) == WHIT_OK);
  Fill(&in);
  Fill(&in2);
  EXPECT(whit_runner_run(runner, &error) == WHIT_OK && whit_runner_run(plain, &error) == WHIT_OK);
  EXPECT(whit_runner_output(runner, 0, &out) == WHIT_OK &&
         whit_runner_output(plain, 0, &out2) == WHIT_OK);
  EXPECT(out.size == 10 && out2.size == 10 && memcmp(out.data, out2.data, 10) == 0);
  EXPECT(whit_runner_reset(runner, &error) == WHIT_OK);
  whit_runner_free(plain);
  whit_runner_free(runner);
}

/* A caller that was compiled when the struct ended behind `threads`: the rest is rubbish and must
 * not be read. */
static void TestShortOptions(whit_model* model) {
  whit_runner_options options;
  whit_runner* runner = NULL;
  memset(&options, 0xee, sizeof options);
  options.size = offsetof(whit_runner_options, isa);
  options.threads = 1;
  EXPECT(whit_runner_create(model, &options, &runner, NULL) == WHIT_OK);
  whit_runner_free(runner);
}

static void TestErrors(whit_model* model) {
  whit_model* other = NULL;
  whit_runner* runner = NULL;
  whit_runner_options options;
  whit_tensor tensor;
  whit_error error;
  char arena[64];
  EXPECT(whit_model_open("/nowhere/at/all.whit", &other, &error) == WHIT_IO && other == NULL);
  EXPECT(error.status == WHIT_IO && strstr(error.message, "/nowhere/at/all.whit") != NULL);
  EXPECT(whit_model_open("/nowhere/at/all.whit", &other, NULL) == WHIT_IO);
  EXPECT(whit_model_open(NULL, &other, &error) == WHIT_INVALID_ARGUMENT);
  EXPECT(whit_model_open_bytes("no model", 8, &other, &error) == WHIT_INVALID_MODEL);
  whit_runner_options_init(&options);
  options.isa = "z80";
  EXPECT(whit_runner_create(model, &options, &runner, &error) == WHIT_INVALID_ARGUMENT &&
         runner == NULL);
  whit_runner_options_init(&options);
  options.tuning = "no tuning";
  EXPECT(whit_runner_create(model, &options, &runner, &error) == WHIT_INVALID_MODEL);
  whit_runner_options_init(&options);
  options.arena = arena;
  options.arena_size = 1;
  EXPECT(whit_runner_create(model, &options, &runner, &error) != WHIT_OK && runner == NULL);
  whit_model_free(NULL);
  whit_runner_free(NULL);
  whit_open_options_init(NULL);
  whit_runner_options_init(NULL);
  EXPECT(whit_runner_create(NULL, NULL, &runner, NULL) == WHIT_INVALID_ARGUMENT);
  EXPECT(whit_runner_run(NULL, &error) == WHIT_INVALID_ARGUMENT);
  EXPECT(strcmp(error.message, "runner is NULL") == 0);
  EXPECT(whit_runner_reset(NULL, NULL) == WHIT_INVALID_ARGUMENT);
  EXPECT(whit_runner_input(NULL, 0, &tensor) == WHIT_INVALID_ARGUMENT);
  EXPECT(whit_runner_output(NULL, 0, NULL) == WHIT_INVALID_ARGUMENT);
  EXPECT(whit_runner_input_count(NULL) == 0 && whit_runner_output_count(NULL) == 0);
  EXPECT(whit_runner_peak_arena_bytes(NULL) == 0 && whit_model_label(NULL, 0, 0) == NULL);
  EXPECT(whit_model_scrub(NULL, 1, NULL, NULL) == WHIT_INVALID_ARGUMENT);
}

static char* ReadAll(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  long length = 0;
  char* bytes;
  EXPECT(file != NULL && fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) > 0);
  rewind(file);
  *size = (size_t)length;
  bytes = malloc(*size);
  EXPECT(fread(bytes, 1, *size, file) == *size);
  fclose(file);
  return bytes;
}

/* From memory; the runner outlives its model's handle. */
static void TestOtherSources(const char* path) {
  size_t size;
  char* bytes = ReadAll(path, &size);
  whit_model* model = NULL;
  whit_runner* runner = NULL;
  whit_error error;
  EXPECT(whit_model_open_bytes(bytes, size, &model, &error) == WHIT_OK);
  EXPECT(whit_runner_create(model, NULL, &runner, &error) == WHIT_OK);
  whit_model_free(model);
  EXPECT(whit_runner_run(runner, &error) == WHIT_OK);
  whit_runner_free(runner);
  free(bytes);
}

static void TestDims(const char* path) {
  whit_model* model = NULL;
  whit_runner* runner = NULL;
  whit_runner_options options;
  whit_tensor in;
  whit_error error;
  whit_dim batch;
  batch.name = "batch";
  batch.value = 3;
  EXPECT(whit_model_open(path, &model, &error) == WHIT_OK);
  whit_runner_options_init(&options);
  options.dims = &batch;
  options.dim_count = 1;
  EXPECT(whit_runner_create(model, &options, &runner, &error) == WHIT_OK);
  EXPECT(whit_runner_input(runner, 0, &in) == WHIT_OK && in.shape[0] == 3 &&
         in.size == 3 * 8 * 8 * 3);
  EXPECT(whit_runner_run(runner, &error) == WHIT_OK);
  whit_runner_free(runner);
  runner = NULL;
  batch.value = 5;
  EXPECT(whit_runner_create(model, &options, &runner, &error) == WHIT_INVALID_ARGUMENT);
  EXPECT(strstr(error.message, "1..4") != NULL && runner == NULL);
  whit_model_free(model);
}

/* The public key of the seed of 32 sevens, with which the tests sign. */
#define TEST_KEY "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"

static whit_status OpenWith(const char* path, const whit_open_options* options, whit_error* error) {
  whit_model* model = NULL;
  const whit_status status = whit_model_open_with(path, options, &model, error);
  EXPECT((status == WHIT_OK) == (model != NULL));
  whit_model_free(model);
  return status;
}

/* With a byte of the weights changed: refused at open, or before the step that reads it, or not. */
static void TestIntegrity(const char* path) {
  size_t size;
  char* bytes = ReadAll(path, &size);
  whit_model* model = NULL;
  whit_runner* runner = NULL;
  whit_open_options options;
  whit_error error;
  EXPECT(size > 16384);
  bytes[16384 + 5] ^= 1;
  whit_open_options_init(&options);
  options.integrity = WHIT_INTEGRITY_FULL;
  EXPECT(whit_model_open_bytes_with(bytes, size, &options, &model, &error) == WHIT_INTEGRITY);
  options.integrity = WHIT_INTEGRITY_OFF;
  EXPECT(whit_model_open_bytes_with(bytes, size, &options, &model, &error) == WHIT_OK);
  EXPECT(whit_runner_create(model, NULL, &runner, &error) == WHIT_OK);
  EXPECT(whit_runner_run(runner, &error) == WHIT_OK);
  whit_runner_free(runner);
  whit_model_free(model);
  EXPECT(whit_model_open_bytes_with(bytes, size, NULL, &model, &error) == WHIT_OK);
  EXPECT(whit_runner_create(model, NULL, &runner, &error) == WHIT_OK);
  EXPECT(whit_runner_run(runner, &error) == WHIT_INTEGRITY && strstr(error.message, "conv1"));
  whit_runner_free(runner);
  whit_model_free(model);
  free(bytes);
}

static void TestKeys(const char* path, const char* unsigned_path) {
  const char* keys[2] = {"1111111111111111111111111111111111111111111111111111111111111111",
                         TEST_KEY};
  whit_open_options options;
  whit_error error;
  whit_open_options_init(&options);
  options.required_keys = keys;
  options.required_key_count = 2;
  EXPECT(OpenWith(path, &options, &error) == WHIT_OK);
  EXPECT(OpenWith(unsigned_path, &options, &error) == WHIT_INTEGRITY);
  EXPECT(strstr(error.message, "not signed") != NULL);
  options.required_key_count = 1;
  EXPECT(OpenWith(path, &options, &error) == WHIT_INTEGRITY);
  EXPECT(strstr(error.message, "none of the 1") != NULL);
  keys[0] = "no key";
  EXPECT(OpenWith(path, &options, &error) == WHIT_INVALID_ARGUMENT);
  keys[0] = NULL;
  EXPECT(OpenWith(path, &options, &error) == WHIT_INVALID_ARGUMENT);
  options.required_keys = NULL;
  EXPECT(OpenWith(path, &options, &error) == WHIT_INVALID_ARGUMENT);
}

/* Bytes 0 to 31, as the tests seal. */
static int GiveKey(void* context, const char* key_id, uint8_t* key) {
  int i;
  ++*(int*)context;
  for (i = 0; i < 32; ++i) key[i] = (uint8_t)i;
  return strcmp(key_id, "vault") == 0;
}

static int GiveNone(void* context, const char* key_id, uint8_t* key) {
  (void)context, (void)key_id, (void)key;
  return 0;
}

static void TestSealed(const char* path) {
  int calls = 0;
  whit_model* model = NULL;
  whit_runner* runner = NULL;
  whit_open_options options;
  whit_error error;
  EXPECT(OpenWith(path, NULL, &error) == WHIT_UNSUPPORTED);
  EXPECT(strstr(error.message, "sealed") != NULL);
  whit_open_options_init(&options);
  options.key_callback = GiveNone;
  EXPECT(OpenWith(path, &options, &error) == WHIT_INVALID_ARGUMENT);
  options.key_callback = GiveKey;
  options.key_context = &calls;
  options.window_bytes = 1 << 20;
  EXPECT(whit_model_open_with(path, &options, &model, &error) == WHIT_OK && calls == 1);
  EXPECT(whit_runner_create(model, NULL, &runner, &error) == WHIT_OK);
  EXPECT(whit_runner_run(runner, &error) == WHIT_OK);
  whit_runner_free(runner);
  whit_model_free(model);
}

/* A library without a hash has no tree to scrub against, and says so. */
static void TestSelfCheckAndScrub(const char* path) {
  whit_model* model = NULL;
  whit_runner* runner = NULL;
  whit_runner_options options;
  whit_scrub_report report;
  whit_status scrubbed;
  whit_error error;
  EXPECT(whit_model_open(path, &model, &error) == WHIT_OK);
  whit_runner_options_init(&options);
  options.scrub_share = -1;
  EXPECT(whit_runner_create(model, &options, &runner, &error) == WHIT_INVALID_ARGUMENT);
  options.scrub_share = 0.5;
  options.self_check = 1;
  EXPECT(whit_runner_create(model, &options, &runner, &error) == WHIT_OK);
  EXPECT(whit_runner_run(runner, &error) == WHIT_OK);
  scrubbed = whit_model_scrub(model, 1000000, &report, &error);
  EXPECT(scrubbed == WHIT_UNSUPPORTED || (scrubbed == WHIT_OK && report.pages > 0));
  if (scrubbed == WHIT_OK) EXPECT(report.repaired == 0 && report.passes == 1);
  whit_runner_free(runner);
  whit_model_free(model);
}

static void TestOpenOptions(const char* path) {
  whit_open_options options;
  whit_error error;
  memset(&options, 0xee, sizeof options); /* of a caller that knew no more than the size */
  options.size = offsetof(whit_open_options, integrity);
  EXPECT(OpenWith(path, &options, &error) == WHIT_OK);
  options.size = offsetof(whit_open_options, required_keys) + 1; /* half a pointer */
  EXPECT(OpenWith(path, &options, &error) == WHIT_INVALID_ARGUMENT);
  whit_open_options_init(&options);
  options.integrity = 7;
  EXPECT(OpenWith(path, &options, &error) == WHIT_INVALID_ARGUMENT);
  EXPECT(strstr(error.message, "integrity is 7") != NULL);
  whit_open_options_init(&options);
  options.residency = WHIT_RESIDENCY_READ;
  EXPECT(OpenWith(path, &options, &error) == WHIT_OK);
  options.max_graph_bytes = 100;
  EXPECT(OpenWith(path, &options, &error) == WHIT_OVER_BUDGET);
}

int main(int argc, char** argv) {
  whit_model* model = NULL;
  whit_error error;
  if (argc != 5) return 1;
  if (whit_model_open(argv[1], &model, &error) != WHIT_OK) {
    printf("%s\n", error.message);
    return 1;
  }
  EXPECT(whit_model_label(model, 99, 0) == NULL && whit_model_label(model, 0, 99999) == NULL);
  TestRun(model);
  TestShortOptions(model);
  TestErrors(model);
  whit_model_free(model);
  TestOtherSources(argv[1]);
  TestDims(argv[2]);
  TestSelfCheckAndScrub(argv[1]);
  TestOpenOptions(argv[1]);
  if (WHIT_TEST_CRYPTO) {
    TestKeys(argv[3], argv[2]);
    TestIntegrity(argv[3]);
    TestSealed(argv[4]);
  } else {
    printf("NOT RUN: keys, integrity and sealing: this build has no libsodium\n");
  }
  return failures != 0;
}
