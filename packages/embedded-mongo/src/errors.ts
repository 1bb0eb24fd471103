/** Error codes as MongoDB numbers and names them; a reply carries both. */
const codes = {
  InternalError: 1,
  BadValue: 2,
  FailedToParse: 9,
  Unauthorized: 13,
  TypeMismatch: 14,
  InvalidLength: 16,
  ProtocolError: 17,
  IllegalOperation: 20,
  NamespaceNotFound: 26,
  IndexNotFound: 27,
  PathNotViable: 28,
  ConflictingUpdateOperators: 40,
  CursorNotFound: 43,
  NamespaceExists: 48,
  DollarPrefixedFieldName: 52,
  CommandNotFound: 59,
  ImmutableField: 66,
  CannotCreateIndex: 67,
  InvalidIdField: 53,
  InvalidOptions: 72,
  InvalidNamespace: 73,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  CannotIndexParallelArrays: 171,
  NotImplemented: 238,
  InvalidPipelineOperator: 168,
  DuplicateKey: 11000,
  OutOfDiskSpace: 14031,
  BSONObjectTooLarge: 10334,
  Location40324: 40324,
  Location40415: 40415,
  Location51091: 51091,
} as const;

/** The name of an error code, such as `DuplicateKey`. */
export type CodeName = keyof typeof codes;

/** An error that a client sees as a MongoDB error reply. */
export class CommandError extends Error {
  /** MongoDB's number of the error. */
  readonly code: number;
  /** MongoDB's name of the error. */
  readonly codeName: CodeName;
  /** Further fields of the reply, for instance `keyPattern` and `keyValue` of a duplicate key. */
  readonly details: Record<string, unknown>;

  constructor(codeName: CodeName, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.code = codes[codeName];
    this.codeName = codeName;
    this.details = details;
  }

  /** Gives any thrown value the shape of a command error; what mingo rejects is the client's mistake, so BadValue. */
  static from(error: unknown): CommandError {
    if (error instanceof CommandError) return error;
    if (!(error instanceof Error)) return new CommandError('InternalError', String(error));
    const operator = /unknown (?:query|top level) operator:? (\S+)/.exec(error.message);
    if (operator) return new CommandError('BadValue', `unknown operator: ${operator[1]}`);
    const programmer = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
    return new CommandError(programmer ? 'InternalError' : 'BadValue', error.message);
  }
}

/** Throws the error that says: MongoDB has this, this server does not. */
export function notImplemented(what: string): never {
  throw new CommandError('NotImplemented', `${what} is not supported by this embedded server`);
}
