// After the first run nothing allocates: this executable replaces malloc and counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <string>

#include "runtime/whit.h"
#include "tests/runtime/model_builder.h"

namespace {
std::atomic<long> g_allocations{0};
}

// glibc lets a program define these; every library of the process then uses them.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t n) {
  ++g_allocations;
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t size) {
  ++g_allocations;
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t n) {
  ++g_allocations;
  return __libc_realloc(p, n);
}
int posix_memalign(void** out, size_t alignment, size_t n) {
  ++g_allocations;
  *out = __libc_memalign(alignment, n);
  return *out == nullptr ? 12 : 0;
}
void* aligned_alloc(size_t alignment, size_t n) {
  ++g_allocations;
  return __libc_memalign(alignment, n);
}
}

namespace whit {
namespace {

TEST(Allocations, CounterCounts) {
  const long before = g_allocations;
  void* volatile p =
      std::malloc(1000);  // volatile: a compiler may drop an allocation nobody looks at
  std::free(p);
  const std::string text(100, 'x');
  EXPECT_EQ(text.size(), 100u);
  EXPECT_GE(g_allocations - before, 1);
}

TEST(Allocations, NoneAfterTheFirstRun) {
  const auto bytes = SmallNetwork();
  auto model = Model::OpenBytes(bytes);
  ASSERT_TRUE(model.ok()) << model.status().message();
  for (int threads : {1, 3}) {
    for (bool plain : {false, true}) {
      RunnerOptions options;
      options.threads = threads;
      options.split_always = true;
      options.plain = plain;
      auto runner = Runner::Create(*model, options);
      ASSERT_TRUE(runner.ok()) << runner.status().message();
      ASSERT_TRUE(runner->Run().ok());
      const long before = g_allocations;
      for (int i = 0; i < 20; ++i) {
        if (!runner->Run().ok()) FAIL();
      }
      EXPECT_EQ(g_allocations - before, 0) << threads << " threads, plain " << plain;
    }
  }
}

}  // namespace
}  // namespace whit
