internal import CKernel

/// The process's heap.
public enum Memory {
  /// Gives back what is free: reading a configuration takes many times what is kept of it. Takes a millisecond or a few.
  ///
  /// Source: malloc_trim(3).
  public static func giveBack() { bg_heap_trim() }
}
