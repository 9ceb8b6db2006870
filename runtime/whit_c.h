/* whit: run a .whit model from C. Installed as <whit/whit_c.h>; C89, the C library only.
 *
 *   whit_model* model; whit_runner* runner; whit_tensor in, out; whit_error error;
 *   if (whit_model_open("m.whit", &model, &error) != WHIT_OK) { puts(error.message); return 1; }
 *   whit_runner_create(model, NULL, &runner, &error);
 *   whit_runner_input(runner, 0, &in);
 *   memcpy(in.data, pixels, in.size);
 *   whit_runner_run(runner, &error);
 *   whit_runner_output(runner, 0, &out);
 *
 * A NULL where something is needed is WHIT_INVALID_ARGUMENT, 0 or NULL, never a crash.
 * Threads: a model may be shared by any number of threads; a runner is used by one at a time.
 * Runners keep what they need of their model alive, so the two may be freed in any order. */
#ifndef WHIT_WHIT_C_H_
#define WHIT_WHIT_C_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct whit_model whit_model;
typedef struct whit_runner whit_runner;

/* Values equal whit::StatusCode of <whit/status.h>. */
typedef enum whit_status {
  WHIT_OK = 0,
  WHIT_INVALID_ARGUMENT = 1,
  WHIT_INVALID_MODEL = 2,
  WHIT_UNSUPPORTED = 3,
  WHIT_OVER_BUDGET = 4,
  WHIT_OUT_OF_MEMORY = 5,
  WHIT_IO = 6,
  WHIT_INTEGRITY = 7,
  WHIT_RUNTIME = 8,
  WHIT_CANCELLED = 9
} whit_status;

/* Values equal whit::Type of <whit/whit.h>. */
typedef enum whit_type {
  WHIT_FLOAT32 = 0,
  WHIT_INT8 = 1,
  WHIT_UINT8 = 2,
  WHIT_INT16 = 3,
  WHIT_INT32 = 4,
  WHIT_INT64 = 5,
  WHIT_BOOL = 6,
  WHIT_FLOAT16 = 7
} whit_type;

/* Why a call failed. Every `error` argument may be NULL; it is written on failure only. Longer
 * messages are cut. */
typedef struct whit_error {
  whit_status status;
  char message[1024];
} whit_error;

/* The value of a named dimension, such as the batch. */
typedef struct whit_dim {
  const char* name;
  uint32_t value;
} whit_dim;

/* When the weight bytes are checked against the file's hash tree. Values equal whit::Integrity. */
typedef enum whit_integrity {
  WHIT_INTEGRITY_LAZY = 0, /* before the first step that reads them */
  WHIT_INTEGRITY_FULL = 1, /* all at open */
  WHIT_INTEGRITY_OFF = 2
} whit_integrity;

/* How the weight bytes get into memory. Values equal whit::Residency. */
typedef enum whit_residency {
  WHIT_RESIDENCY_MAP = 0,  /* mapped, paged in on demand */
  WHIT_RESIDENCY_READ = 1, /* read into memory of the model */
  WHIT_RESIDENCY_LOCK = 2  /* mapped and locked into RAM */
} whit_residency;

/* Writes the 32 bytes of the key that `key_id` names and returns 1, or 0 where there is none.
 * Called once while a model is opened; whit wipes its copies. */
typedef int (*whit_key_callback)(void* context, const char* key_id, uint8_t* key);

/* Start from whit_open_options_init, which fills in size and the defaults. Fields are only ever
 * appended. Strings are not kept. */
typedef struct whit_open_options {
  size_t size;                      /* sizeof(whit_open_options) of the caller */
  int integrity;                    /* a whit_integrity; default: lazy */
  int residency;                    /* a whit_residency; default: map */
  const char* const* required_keys; /* public keys in hexadecimal, one of which must have signed */
  size_t required_key_count;        /* 0: none is required */
  uint64_t max_macs;                /* budgets, checked before anything is allocated: */
  uint64_t max_arena_bytes;
  uint64_t max_graph_bytes;
  whit_key_callback key_callback; /* for sealed files; NULL: they are refused */
  void* key_context;
  uint64_t
      window_bytes; /* of plain weights in memory, sealed files; 0: those of the largest step */
} whit_open_options;

/* Start from whit_runner_options_init, which fills in size and the defaults. Fields are only ever
 * appended. */
typedef struct whit_runner_options {
  size_t size;          /* sizeof(whit_runner_options) of the caller */
  int threads;          /* at most; default 1 */
  const char* isa;      /* force a tier by name; NULL: the best usable */
  int plain;            /* not 0: the plain executor */
  int xnnpack;          /* 0: never; default 1 */
  void* arena;          /* caller's memory, 64-aligned; NULL: owned by the runner */
  size_t arena_size;    /* bytes of it */
  const whit_dim* dims; /* NULL: every named dimension as the file says */
  size_t dim_count;
  const char* tuning; /* text that `whit tune` has stored; NULL: none */
  double scrub_share; /* of the runs' time, for looking again at weights in RAM; default 0.01 */
  int self_check;     /* not 0: prove every run's constants and integer products */
} whit_runner_options;

/* A model input or output. Borrowed: valid while the runner lives. real = scale * (stored -
 * zero_point) unless scale is 0. */
typedef struct whit_tensor {
  const char* name; /* ends with a zero byte */
  whit_type type;
  const int64_t* shape;
  size_t rank;
  float scale;
  int32_t zero_point;
  void* data;
  size_t size; /* bytes of data */
} whit_tensor;

/* The file is mapped, or the `size` bytes at `offset` of it (size 0: all that follow). The
 * descriptor may be closed afterwards. whit_model_open_bytes: `bytes` must outlive the model and
 * its runners. */
whit_status whit_model_open(const char* path, whit_model** model, whit_error* error);
whit_status whit_model_open_fd(int fd, uint64_t offset, uint64_t size, whit_model** model,
                               whit_error* error);
whit_status whit_model_open_bytes(const void* bytes, size_t size, whit_model** model,
                                  whit_error* error);
/* The same with options; `options` NULL: the defaults. What is damaged, or signed by none of the
 * required keys, is WHIT_INTEGRITY. */
void whit_open_options_init(whit_open_options* options);
whit_status whit_model_open_with(const char* path, const whit_open_options* options,
                                 whit_model** model, whit_error* error);
whit_status whit_model_open_fd_with(int fd, uint64_t offset, uint64_t size,
                                    const whit_open_options* options, whit_model** model,
                                    whit_error* error);
whit_status whit_model_open_bytes_with(const void* bytes, size_t size,
                                       const whit_open_options* options, whit_model** model,
                                       whit_error* error);
/* What the scrubber did: pages of weights looked at again, pages repaired, passes over all. */
typedef struct whit_scrub_report {
  uint64_t pages, repaired, passes;
} whit_scrub_report;

/* For idle time: looks again at the next `max_pages` pages of weights (at most all of them once)
 * and repairs flipped bits from storage. WHIT_INTEGRITY where storage is wrong too or there is
 * none, WHIT_UNSUPPORTED without a hash tree. `report` may be NULL. */
whit_status whit_model_scrub(const whit_model* model, uint64_t max_pages, whit_scrub_report* report,
                             whit_error* error);

void whit_model_free(whit_model* model); /* NULL is fine */

/* Label `index` of output `output`, or NULL. Borrowed from the model. */
const char* whit_model_label(const whit_model* model, size_t output, size_t index);

void whit_runner_options_init(whit_runner_options* options);
/* `options` NULL: the defaults. */
whit_status whit_runner_create(const whit_model* model, const whit_runner_options* options,
                               whit_runner** runner, whit_error* error);
void whit_runner_free(whit_runner* runner); /* NULL is fine */

size_t whit_runner_input_count(const whit_runner* runner);
size_t whit_runner_output_count(const whit_runner* runner);
/* WHIT_INVALID_ARGUMENT if there is no such input or output. Outputs are valid after a run, until
 * the next. */
whit_status whit_runner_input(const whit_runner* runner, size_t index, whit_tensor* tensor);
whit_status whit_runner_output(const whit_runner* runner, size_t index, whit_tensor* tensor);

whit_status whit_runner_run(whit_runner* runner, whit_error* error);
/* Variables (LSTM states and the like) back to their initial values. */
whit_status whit_runner_reset(whit_runner* runner, whit_error* error);
/* Exact writable bytes of the runner, without inputs and outputs. */
uint64_t whit_runner_peak_arena_bytes(const whit_runner* runner);

#ifdef __cplusplus
}
#endif

#endif /* WHIT_WHIT_C_H_ */
