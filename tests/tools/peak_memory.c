/* peak_memory COMMAND ARGUMENT...: runs it with its output thrown away; prints the most anonymous
 * memory it had resident at any time in KiB (what is no page of a file), and its exit status.
 * Memory is given back by system calls alone, so a look before each of them sees the peak. Exit
 * status 77: this system does not let a process be traced. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void RunChild(char** argv) {
  const int nowhere = open("/dev/null", O_WRONLY);
  if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(126);
  dup2(nowhere, 1);
  dup2(nowhere, 2);
  execv(argv[0], argv);
  _exit(127);
}

static long AnonymousKib(pid_t pid) {
  char path[64], line[256];
  long kib = 0;
  FILE* file;
  sprintf(path, "/proc/%d/status", (int)pid);
  file = fopen(path, "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "RssAnon: %ld", &kib) == 1) break;
  }
  if (file != NULL) fclose(file);
  return kib;
}

int main(int argc, char** argv) {
  int status = 0;
  long peak = 0, kib, signal;
  pid_t child;
  if (argc < 2) return 1;
  child = fork();
  if (child == 0) RunChild(argv + 1);
  if (child < 0 || waitpid(child, &status, 0) != child) return 1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 126) return 77;
  while (!WIFEXITED(status) && !WIFSIGNALED(status)) {
    signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    kib = AnonymousKib(child);
    if (kib > peak) peak = kib;
    if (ptrace(PTRACE_SYSCALL, child, 0, signal) != 0) return 77;
    if (waitpid(child, &status, 0) != child) return 1;
  }
  printf("%ld %d\n", peak, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return 0;
}
