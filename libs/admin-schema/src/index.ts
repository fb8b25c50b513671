export { breakingChanges } from './breaking-changes.ts';
export { type DocumentInfo, type Json, type JsonObject, openApiDocument } from './openapi.ts';
export { MAX_PAGE } from './page.ts';
export { fieldErrors, problem, type Problem, type ProblemDetails, type ProblemName, PROBLEMS } from './problem.ts';
export { problemsOf, type Role, ROLES, type RouteAnswer, type RouteContract } from './route.ts';
export { ROUTES } from './routes.ts';
