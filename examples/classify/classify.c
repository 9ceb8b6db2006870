/* classify MODEL.whit PICTURE: the sample classifier on the C interface. See classify.cc for the
 * same in C++. */
#include <stdio.h>
#include <string.h>
#include <whit/whit_c.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#include <stb/stb_image.h>

/* Nearest pixel into a uint8 or int8 input [1,height,width,channels]. */
static int Feed(const char* path, const whit_tensor* in) {
  int width, height, stored, y, x, c;
  unsigned char *to = in->data, *pixels;
  int rows, columns, channels;
  if (in->rank != 4 || (in->type != WHIT_UINT8 && in->type != WHIT_INT8)) return 0;
  rows = (int)in->shape[1], columns = (int)in->shape[2], channels = (int)in->shape[3];
  pixels = stbi_load(path, &width, &height, &stored, channels);
  if (!pixels) return 0;
  for (y = 0; y < rows; ++y)
    for (x = 0; x < columns; ++x)
      for (c = 0; c < channels; ++c) {
        size_t row = (size_t)((y + 0.5) * height / rows),
               column = (size_t)((x + 0.5) * width / columns);
        unsigned char pixel = pixels[(row * (size_t)width + column) * (size_t)channels + (size_t)c];
        *to++ = in->type == WHIT_INT8 ? (unsigned char)(pixel ^ 0x80)
                                      : pixel; /* pixel - 128 in two's complement */
      }
  stbi_image_free(pixels);
  return 1;
}

int main(int argc, char** argv) {
  whit_model* model = NULL;
  whit_runner* runner = NULL;
  whit_tensor in, out;
  whit_error error;
  size_t i, best = 0;
  int failed;
  const char* label;
  error.status = WHIT_OK;
  strcpy(error.message, "the picture cannot be read, or the model takes no 8-bit picture");
  if (argc != 3) return fprintf(stderr, "usage: %s MODEL.whit PICTURE\n", argv[0]), 1;
  failed = whit_model_open(argv[1], &model, &error) ||
           whit_runner_create(model, NULL, &runner, &error) || whit_runner_input(runner, 0, &in) ||
           !Feed(argv[2], &in) || whit_runner_run(runner, &error) ||
           whit_runner_output(runner, 0, &out);
  if (!failed && out.type != WHIT_INT8 && out.type != WHIT_UINT8) {
    failed = 1;
    strcpy(error.message, "the model's scores are not 8-bit numbers");
  }
  if (failed) {
    fprintf(stderr, "%s\n", error.message);
  } else {
    for (i = 1; i < out.size; ++i) {
      const int8_t* s = out.data;
      const uint8_t* u = out.data;
      if (out.type == WHIT_INT8 ? s[i] > s[best] : u[i] > u[best]) best = i;
    }
    label = whit_model_label(model, 0, best);
    printf("%s: class %lu %s\n", argv[2], (unsigned long)best, label ? label : "");
  }
  whit_runner_free(runner);
  whit_model_free(model);
  return failed ? 2 : 0;
}
