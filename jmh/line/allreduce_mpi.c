/* The line for `mpi`: a bare MPI program. mpirun -np 4 allreduce_mpi [calls a run] */
#include <mpi.h>

#include "allreduce.h"

static void all_reduce(void* state, float* values) {
  (void)state;
  MPI_Allreduce(MPI_IN_PLACE, values, kFloats, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

int main(int argc, char** argv) {
  int rank, size;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  time_all_reduce("line mpi", rank, size, argc > 1 ? atoi(argv[1]) : 1000, all_reduce, NULL);
  MPI_Finalize();
  return 0;
}
